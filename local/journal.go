package local

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// entry is one change of the registry, one JSON line of the journal: a schema under a subject, or a compatibility level
// (Subject empty: the global one; Level empty: taken back).
type entry struct {
	Kind    string `json:"kind"` // schema or level
	Subject string `json:"subject"`
	Version int    `json:"version,omitempty"`
	ID      int    `json:"id,omitempty"`
	Schema  string `json:"schema,omitempty"`
	Level   string `json:"level,omitempty"`
}

const (
	kindSchema = "schema"
	kindLevel  = "level"
)

// journal is an append-only file. An entry is on disk before append returns; a crash before that leaves a last line without
// its end, which nobody was told about and which the next open cuts off.
type journal struct {
	file   *os.File
	size   int64
	broken error // a write that could be neither finished nor undone
}

// openJournal opens or makes the file, gives its entries to replay in their order, and cuts off an unfinished one.
func openJournal(dir string, replay func(entry) error) (*journal, error) {
	path := filepath.Join(dir, "journal.jsonl")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDirectory, err)
	}
	j := &journal{file: file}
	if err := j.load(path, replay); err != nil {
		_ = file.Close() // nothing was written
		return nil, err
	}
	if err := syncDirectory(dir); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("%w: %s: %w", ErrDirectory, dir, err)
	}
	return j, nil
}

func (j *journal) load(path string, replay func(entry) error) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDirectory, err)
	}
	for line := 1; ; line++ {
		end := bytes.IndexByte(text, '\n')
		if end < 0 {
			break
		}
		var e entry
		if err := json.Unmarshal(text[:end], &e); err != nil {
			return fmt.Errorf("schema registry: %s line %d is damaged: %w", path, line, err)
		}
		if err := replay(e); err != nil {
			return fmt.Errorf("schema registry: %s line %d: %w", path, line, err)
		}
		text = text[end+1:]
		j.size += int64(end) + 1
	}
	if err := j.file.Truncate(j.size); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDirectory, path, err)
	}
	return nil
}

// append returns nil once the entry is durable. Where it fails the entry is not in the file, or the journal takes no more.
func (j *journal) append(e entry) error {
	if j.broken != nil {
		return j.broken
	}
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("journal of the schema registry: %w", err)
	}
	line = append(line, '\n')
	_, err = j.file.WriteAt(line, j.size)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		// After a failed fsync nobody knows what is on disk: only cutting the entry off durably lets us go on.
		if undo := errors.Join(j.file.Truncate(j.size), j.file.Sync()); undo != nil {
			j.broken = fmt.Errorf("journal of the schema registry: %w", errors.Join(err, undo))
			return j.broken
		}
		return fmt.Errorf("journal of the schema registry: %w", err)
	}
	j.size += int64(len(line))
	return nil
}

func (j *journal) close() error {
	if err := j.file.Close(); err != nil {
		return fmt.Errorf("journal of the schema registry: %w", err)
	}
	return nil
}

// syncDirectory makes a new file's name durable.
func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
