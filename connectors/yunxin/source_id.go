package yunxin

import (
	"errors"
	"fmt"
	"strings"

	"chatlake/schemas"
)

// Types of conversation, as the middle part of an id tells them.
const (
	typeP2P   = "1"
	typeTeam  = "2"
	typeSuper = "3"
)

// maxAccid is the longest account id, in bytes
// (https://doc.yunxin.163.com/messaging2/server-apis/TQyNjgyMzc: letters, digits and _ @ . -).
const maxAccid = 32

// Canonical gives the id of a conversation from the spelling that the API wants, owner|type|other with type 1 for two
// accounts, 2 for a team and 3 for a super team: p2p:<smaller>:<larger>, team:<id> or super:<id>. Both spellings of a
// conversation of two give the same, and accounts are lower-cased, as the platform does. The error tells what is wrong.
func Canonical(id string) (conversationID string, err error) {
	parts := strings.Split(id, "|")
	if len(parts) != 3 {
		return "", fmt.Errorf("conversation id %q is not owner|type|other: like alice|1|bob, alice|2|4711 for a team, alice|3|4711 for a super team", id)
	}
	owner, other := strings.ToLower(parts[0]), strings.ToLower(parts[2])
	if err := checkAccid(owner); err != nil {
		return "", fmt.Errorf("conversation id %q: owner: %w", id, err)
	}
	switch parts[1] {
	case typeP2P:
		if err := checkAccid(other); err != nil {
			return "", fmt.Errorf("conversation id %q: other: %w", id, err)
		}
		return "p2p:" + min(owner, other) + ":" + max(owner, other), nil
	case typeTeam, typeSuper:
		if !isTeam(other) {
			return "", fmt.Errorf("conversation id %q: %q is not a team's number", id, parts[2])
		}
		return map[string]string{typeTeam: "team:", typeSuper: "super:"}[parts[1]] + other, nil
	}
	return "", fmt.Errorf("conversation id %q: type %q is none of 1 (two accounts), 2 (team), 3 (super team)", id, parts[1])
}

func checkAccid(s string) error {
	if s == "" || len(s) > maxAccid {
		return fmt.Errorf("an account has 1 to %d characters", maxAccid)
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("_@.-", rune(c)) {
			return errors.New("an account has letters, digits and _ @ . - only")
		}
	}
	return nil
}

// isTeam reports whether s is a 64-bit number above 0 in its only spelling.
func isTeam(s string) bool { return isID(s) }

// errOwner says that a look-up cannot be asked for.
var errOwner = errors.New("a team is read in the name of a member, and the container's id names none: spell it owner|2|team")

// spelling gives the id that the API is to be asked with. A container's id is that spelling already, or, where a look-up
// knows no better, the canonical id: then a conversation of two is read in the name of the first account. A team's canonical id
// names nobody in whose name it could be read.
func spelling(c *schemas.Container) (string, error) {
	asked := c.ID
	if rest, ok := strings.CutPrefix(c.ID, "p2p:"); ok && !strings.Contains(c.ID, "|") {
		left, right, _ := strings.Cut(rest, ":")
		asked = left + "|" + typeP2P + "|" + right
	} else if isTeamKey(c.ID) {
		return "", errOwner
	}
	conversation, err := Canonical(asked)
	if err != nil {
		return "", err
	}
	if c.ConversationID != "" && c.ConversationID != conversation {
		return "", fmt.Errorf("conversation id %q is of another conversation than the container's, %q", c.ID, c.ConversationID)
	}
	return asked, nil
}

func isTeamKey(id string) bool {
	return !strings.Contains(id, "|") && (strings.HasPrefix(id, "team:") || strings.HasPrefix(id, "super:"))
}
