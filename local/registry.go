package local

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Compatibility levels that the registry knows. The one-way levels of Confluent's registry are refused rather than taken
// for something that they are not: what decides here judges both directions.
const (
	levelNone           = "NONE"
	levelFull           = "FULL"
	levelFullTransitive = "FULL_TRANSITIVE"
)

// refusal is an answer of the registry that is not 2xx
// (https://docs.confluent.io/platform/current/schema-registry/develop/api.html#errors).
type refusal struct {
	status, code int
	message      string
}

func (r *refusal) Error() string { return r.message }

func refuse(status, code int, format string, args ...any) *refusal {
	return &refusal{status, code, fmt.Sprintf(format, args...)}
}

// asRefusal gives the answer that an error is; one of our own is the backend's.
func asRefusal(err error) *refusal {
	no := new(refusal)
	if !errors.As(err, &no) {
		return refuse(500, 50001, "%s", err)
	}
	return no
}

// registered is a schema under a subject, in the words of the registry's API.
type registered struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
	ID      int    `json:"id"`
	Schema  string `json:"schema"`
}

// registry holds schemas by subject. Ids count from 1 and, as with Confluent's, one schema has one id under all subjects.
// Nothing is ever deleted: records on disk refer to it.
type registry struct {
	compatible func(older, newer string) error

	mu       sync.Mutex
	journal  *journal
	texts    []string         // by id, from 1
	ids      map[string]int   // by canonical text
	subjects map[string][]int // ids, by version from 1
	levels   map[string]string
}

func loadRegistry(dir string, compatible func(older, newer string) error) (*registry, error) {
	r := &registry{
		compatible: compatible,
		ids:        map[string]int{},
		subjects:   map[string][]int{},
		levels:     map[string]string{},
	}
	var err error
	r.journal, err = openJournal(dir, r.apply)
	return r, err
}

// apply changes the state by an entry that is durable, and refuses one that does not follow from the state.
func (r *registry) apply(e entry) error {
	switch e.Kind {
	case kindLevel:
		if e.Level == "" {
			delete(r.levels, e.Subject)
		} else {
			r.levels[e.Subject] = e.Level
		}
		return nil
	case kindSchema:
		form, err := canonical(e.Schema)
		if err != nil {
			return err
		}
		known, seen := r.ids[form]
		if !seen {
			known = len(r.texts) + 1
		}
		if e.ID != known || e.Version != len(r.subjects[e.Subject])+1 {
			return fmt.Errorf("subject %s version %d id %d does not follow what stands before", e.Subject, e.Version, e.ID)
		}
		if !seen {
			r.texts = append(r.texts, e.Schema)
			r.ids[form] = e.ID
		}
		r.subjects[e.Subject] = append(r.subjects[e.Subject], e.ID)
		return nil
	}
	return fmt.Errorf("unknown kind %q", e.Kind)
}

// commit makes a change durable and then visible.
func (r *registry) commit(e entry) error {
	if err := r.journal.append(e); err != nil {
		return refuse(500, 50001, "Error in the backend data store: %s", err)
	}
	return r.apply(e)
}

// parse gives a schema's canonical form, or 422.
func (r *registry) parse(text string) (string, error) {
	form, err := canonical(text)
	if err == nil && r.compatible != nil {
		// A schema follows itself. What is refused here is one that the stricter reader behind compatible cannot parse.
		err = r.compatible(text, text)
	}
	if err != nil {
		return "", refuse(422, 42201, "Invalid schema: %s", err)
	}
	return form, nil
}

// register gives the id of a schema under a subject, as a new version where it is not there yet.
func (r *registry) register(subject, text string) (int, error) {
	form, err := r.parse(text)
	if err != nil {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if id, ok := r.ids[form]; ok && slices.Contains(r.subjects[subject], id) {
		return id, nil
	}
	if faults := r.conflicts(subject, text); len(faults) > 0 {
		return 0, refuse(409, 409, "Schema being registered is incompatible with an earlier schema for subject %q: %s", subject, faults[0])
	}
	id, ok := r.ids[form]
	if !ok {
		id = len(r.texts) + 1
	}
	e := entry{Kind: kindSchema, Subject: subject, Version: len(r.subjects[subject]) + 1, ID: id, Schema: text}
	return id, r.commit(e)
}

// conflicts says why a text may not be the subject's next version at the level in force.
func (r *registry) conflicts(subject, text string) []string {
	level := r.levelOf(subject)
	first := 0
	switch level {
	case levelNone:
		return nil
	case levelFull:
		first = max(0, len(r.subjects[subject])-1)
	}
	var faults []string
	for i, id := range r.subjects[subject][first:] {
		if err := r.against(id, text); err != nil {
			faults = append(faults, fmt.Sprintf("version %d (%s): %s", first+i+1, level, err))
		}
	}
	return faults
}

func (r *registry) against(id int, text string) error {
	if r.compatible == nil {
		return errors.New("nothing here can judge compatibility, so that no second version is taken")
	}
	return r.compatible(r.texts[id-1], text)
}

// check answers whether a schema could be registered: against one version (0: all that the level in force asks for).
func (r *registry) check(subject, text string, version int) ([]string, error) {
	form, err := r.parse(text)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if version == 0 {
		if id, ok := r.ids[form]; ok && slices.Contains(r.subjects[subject], id) {
			return nil, nil
		}
		return r.conflicts(subject, text), nil
	}
	v, err := r.at(subject, version)
	if err != nil || r.ids[form] == v.ID || r.levelOf(subject) == levelNone {
		return nil, err
	}
	if err := r.against(v.ID, text); err != nil {
		return []string{fmt.Sprintf("version %d: %s", v.Version, err)}, nil
	}
	return nil, nil
}

// lookup finds a schema under a subject.
func (r *registry) lookup(subject, text string) (registered, error) {
	form, err := r.parse(text)
	if err != nil {
		return registered{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.subjects[subject]) == 0 {
		return registered{}, unknownSubject(subject)
	}
	i := slices.Index(r.subjects[subject], cmp.Or(r.ids[form], -1))
	if i < 0 {
		return registered{}, refuse(404, 40403, "Schema not found")
	}
	return r.at(subject, i+1)
}

const latest = -1

// version gives one version of a subject, or the latest.
func (r *registry) version(subject string, version int) (registered, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at(subject, version)
}

func (r *registry) at(subject string, version int) (registered, error) {
	ids := r.subjects[subject]
	if len(ids) == 0 {
		return registered{}, unknownSubject(subject)
	}
	if version == latest {
		version = len(ids)
	}
	if version < 1 || version > len(ids) {
		return registered{}, refuse(404, 40402, "Version %d not found.", version)
	}
	id := ids[version-1]
	return registered{Subject: subject, Version: version, ID: id, Schema: r.texts[id-1]}, nil
}

func unknownSubject(subject string) error {
	return refuse(404, 40401, "Subject '%s' not found.", subject)
}

// versions gives the number of versions of a subject.
func (r *registry) versions(subject string) (int, error) {
	v, err := r.version(subject, latest)
	return v.Version, err
}

// text gives the schema that has an id.
func (r *registry) text(id int) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id < 1 || id > len(r.texts) {
		return "", refuse(404, 40403, "Schema %d not found", id)
	}
	return r.texts[id-1], nil
}

// all gives every version of every subject, by subject and version.
func (r *registry) all() []registered {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []registered
	for _, subject := range slices.Sorted(maps.Keys(r.subjects)) {
		for i, id := range r.subjects[subject] {
			out = append(out, registered{subject, i + 1, id, r.texts[id-1]})
		}
	}
	return out
}

// level gives what was set for a subject (empty: globally), or, with fallback, what is in force.
func (r *registry) level(subject string, fallback bool) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.levels[subject]; !ok && subject != "" && !fallback {
		return "", refuse(404, 40408, "Subject '%s' does not have subject-level compatibility configured", subject)
	}
	return r.levelOf(subject), nil
}

func (r *registry) levelOf(subject string) string {
	return cmp.Or(r.levels[subject], r.levels[""], levelFullTransitive)
}

// setLevel sets a subject's level (subject empty: the global one), or takes it back with an empty level.
func (r *registry) setLevel(subject, level string) error {
	if level != "" && level != levelNone && level != levelFull && level != levelFullTransitive {
		return refuse(422, 42203, "Invalid compatibility level %q: this registry judges both directions only: NONE, FULL, FULL_TRANSITIVE", level)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.levels[subject] == level {
		return nil
	}
	return r.commit(entry{Kind: kindLevel, Subject: subject, Level: level})
}
