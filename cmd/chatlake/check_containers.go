package main

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"

	"chatlake/cmd/worker"
	"chatlake/pipeline/checkup"
	"chatlake/pipeline/links/store"
	"chatlake/schemas"
)

// askedAtOnce is how many containers are asked about at the same time.
const askedAtOnce = 4

// containers asks the platforms about a few containers.
func (r *checkRun) containers(ctx context.Context, n int) {
	topic := r.with.Tool.Prefix + ".containers"
	switch {
	case n == 0:
		return
	case r.askFeishu == nil && r.askYunxin == nil:
		r.skip(topic, "no platform can be asked", checkup.Container)
		return
	case r.client == nil || r.partitions == 0 || r.lookup == nil:
		r.skip(topic, "broker, topics or registry do not give the list of containers", checkup.Container)
		return
	}
	chosen, err := r.choose(ctx, n)
	if err != nil {
		r.report.Add(checkup.Bad(checkup.Container, topic, "the list of containers cannot be read: "+err.Error(), "run the check again, or with --containers 0"))
		return
	}
	if len(chosen) == 0 {
		r.skip(topic, "there are no containers of the platforms that are on: add some with 'chatlake containers add'", checkup.Container)
		return
	}
	checks := make([]checkup.Check, len(chosen))
	slots := make(chan struct{}, askedAtOnce)
	var all sync.WaitGroup
	for i, c := range chosen {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			checks[i] = r.askAbout(ctx, c)
		})
	}
	all.Wait()
	r.report.Add(checks...)
}

func (r *checkRun) askAbout(ctx context.Context, c checkup.Candidate) checkup.Check {
	ask, why := r.asker(c.Container.Platform)
	if ask == nil {
		return checkup.Skip(checkup.Container, c.Container.Key, why)
	}
	if ctx.Err() != nil {
		return checkup.Skip(checkup.Container, c.Container.Key, fmt.Sprintf("not asked about within %v", checkTime))
	}
	return checkup.Asked(c, ask(ctx, c.Container))
}

// choose gives the containers to ask about: of platforms that are on, and not cancelled.
func (r *checkRun) choose(ctx context.Context, n int) ([]checkup.Candidate, error) {
	at := &worker.Connection{
		Topics: schemas.NewTopics(r.with.Tool.Prefix, ""), Partitions: r.partitions, Client: r.client, Registry: r.lookup,
	}
	known, err := readLedger(ctx, at, allPartitions(r.partitions))
	if err != nil {
		return nil, err
	}
	var all []checkup.Candidate
	for key, c := range known.containers {
		if c.TenantID != r.tenantOf(c.Platform) || c.TenantID == "" {
			continue
		}
		found, epoch := checkup.Candidate{Container: c}, known.inForce(key)
		if cp := known.checkpoints[key]; cp != nil && cp.Epoch == epoch {
			found.Checkpoint = cp
		}
		if c.Cancelled && c.Epoch == epoch || found.Checkpoint != nil && found.Checkpoint.State == schemas.StateCancelled {
			continue
		}
		all = append(all, found)
	}
	return checkup.Choose(all, n), nil
}

// Free space of the state directory.
const (
	spaceWarn = 1 << 30
	spaceFail = 64 << 20
)

// state looks at where the normalizer keeps its index.
func (r *checkRun) state(ctx context.Context) {
	n := &r.with.Normalizer
	if s := r.with.Broken("NORMALIZER_"); s != "" {
		r.skip("NORMALIZER_STATE_DIR", broken(s), checkup.State)
		return
	}
	dir := filepath.Join(n.StateDir, n.Group)
	type looked struct {
		found store.Found
		err   error
	}
	answer := make(chan looked, 1)
	go func() { // a file system of another machine may hang
		found, err := store.Look(dir)
		answer <- looked{found, err}
	}()
	ctx, cancel := context.WithTimeout(ctx, firstTime)
	defer cancel()
	select {
	case l := <-answer:
		r.report.Add(stateCheck(dir, l.found, l.err))
	case <-ctx.Done():
		r.report.Add(checkup.Bad(checkup.State, dir, "its file system does not answer", "check the disk, or choose another NORMALIZER_STATE_DIR"))
	}
}

// stateCheck judges what was found of the directory.
func stateCheck(dir string, f store.Found, err error) checkup.Check {
	bad := func(detail, remedy string) checkup.Check { return checkup.Bad(checkup.State, dir, detail, remedy) }
	odd := func(detail, remedy string) checkup.Check { return checkup.Odd(checkup.State, dir, detail, remedy) }
	const other = "choose another NORMALIZER_STATE_DIR, or mend it: the index may be deleted, and is rebuilt from the topics"
	room := ""
	if f.Free >= 0 {
		room = fmt.Sprintf(", %d MiB free", f.Free>>20)
	}
	switch {
	case err != nil:
		return bad("it cannot be looked at: "+err.Error(), other)
	case !f.Writable:
		return bad(fmt.Sprintf("%s cannot be written by this user", f.In), "give the user of the normalizer the right to write it, or choose another NORMALIZER_STATE_DIR")
	case f.Free >= 0 && f.Free < spaceFail:
		return bad("its disk is full"+room, "make room, or choose another NORMALIZER_STATE_DIR")
	case f.Free >= 0 && f.Free < spaceWarn:
		return odd("little room is left"+room, "make room, or choose another NORMALIZER_STATE_DIR")
	case !f.Exists:
		return checkup.Good(checkup.State, dir, "it does not exist yet and can be made in "+f.In+room)
	case !f.Mine && f.Owner >= 0:
		return odd(fmt.Sprintf("it belongs to user id %d, who is not this one%s", f.Owner, room), "run the normalizer, and this check, as that user")
	case f.Mode.Perm()&0o077 != 0:
		return odd(fmt.Sprintf("others may look into it (mode %04o)%s", f.Mode.Perm(), room), "chmod 0700 "+dir)
	case f.Holder > 0:
		return checkup.Good(checkup.State, dir, fmt.Sprintf("process %d has it open%s", f.Holder, room))
	case f.Holder < 0:
		return checkup.Good(checkup.State, dir, "it can be written; whether a process has it open is not known here"+room)
	}
	return checkup.Good(checkup.State, dir, "it can be written, and no process has it open"+room)
}
