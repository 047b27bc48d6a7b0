package worker

import (
	"context"
	"log/slog"
	"strings"

	"chatlake/connectors"
	"chatlake/pipeline/normalize"
)

// Replay is what a replay may do otherwise than the normalizer of the output in force.
type Replay struct {
	Without  *normalize.Without                   // whose messages are left out; nil: nobody's
	Decoders map[string]func() connectors.Decoder // by platform; nil: those of this release
}

func (o Replay) decoders() map[string]func() connectors.Decoder {
	if o.Decoders != nil {
		return o.Decoders
	}
	return decoders
}

// withoutMark precedes, in normalizer_version, the mark of whose messages an output leaves out: a replay that goes on must
// leave out the same, also when its state is lost.
const withoutMark = "+without."

func (o Replay) version() string {
	v := "chatlake/" + Version
	if mark := o.Without.Mark(); mark != "" {
		v += withoutMark + mark
	}
	return v
}

// WithoutMark is the mark of whose messages a normalizer_version says are left out, "" where nobody's are.
func WithoutMark(version string) string {
	_, mark, _ := strings.Cut(version, withoutMark)
	return mark
}

// NewReplay is NewNormalizer for a replay: it ends with what the raw topic held at its start, and asks for nothing.
func NewReplay(ctx context.Context, s NormalizerSettings, o Replay, logger *slog.Logger) (*Normalizer, error) {
	s.Lookups = "false"
	return newNormalizer(ctx, s, true, o, logger)
}

// Beside gives the settings of a replay into another topic: its own group, from which its state directory follows. An error
// is a *SettingError about that topic.
func (s NormalizerSettings) Beside(output string) (NormalizerSettings, error) {
	inForce := s.Output
	s.Output, s.Group = output, ""
	err := s.check()
	if err == nil && (output == inForce || output == s.Prefix+".messages") {
		err = &SettingError{"NORMALIZER_OUTPUT", "is the output in force: choose a name of its own, such as " + inForce + "2"}
	}
	return s, err
}
