package feishu

import (
	"strings"

	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// Words of mentions.
const (
	everyone     = "@_all" // stands for all members in text; posts say "all", too
	everyoneName = "all"   // the platform tells no name for them
)

// mentions reads an item's mentions; each stands in the content by its key, @_user_1 and so on.
func (d *reader) mentions(v decode.JSON) {
	if !v.Told() {
		return
	}
	if v.Kind() != decode.Array {
		d.Issue("mentions", schemas.IssueNulled, "is "+v.Kind().String()+", not an array")
		return
	}
	n := v.Len()
	if n > decode.MaxParts {
		d.Issue("mentions", schemas.IssueTruncated, "are more than 10000")
		n = decode.MaxParts
	}
	for i := range n {
		e := v.At(i)
		if e.Kind() != decode.Object {
			d.Issue("mentions", schemas.IssueNulled, "holds "+e.Kind().String()+" in place of an object")
			continue
		}
		m := schemas.Mention{
			Placeholder: d.Str(e.Get("key"), "mentions.placeholder"),
			ID:          d.Optional(d.mentionID(e.Get("id"))),
			IDType:      d.Optional(d.Str(e.Get("id_type"), "mentions.id_type")),
			Name:        d.Optional(d.Str(e.Get("name"), "mentions.name")),
			TenantID:    d.Optional(d.Str(e.Get("tenant_key"), "mentions.tenant_id")),
		}
		m.IsAll = isEveryone(m.Placeholder) || m.ID != nil && isEveryone(*m.ID)
		d.M.Mentions = append(d.M.Mentions, m)
	}
	d.indexMentions(0)
}

// mentionID reads the id of a mention. Events give an object with an id of each kind, of which the open one counts.
func (d *reader) mentionID(v decode.JSON) string {
	if v.Kind() != decode.Object {
		return d.Str(v, "mentions.id")
	}
	for _, kind := range [...]string{openID, "user_id", "union_id"} {
		if id := v.Get(kind); id.Told() {
			d.Issue("mentions.id", schemas.IssueCoerced, "is an object, not a string")
			return d.Str(id, "mentions.id")
		}
	}
	return d.Str(v, "mentions.id")
}

func isEveryone(id string) bool { return id == everyone || id == "all" }

// fewMentions is up to how many mentions are searched one by one.
const fewMentions = 16

// indexMentions makes mentions from number first on searchable, where they are many.
func (d *reader) indexMentions(first int) {
	if len(d.M.Mentions) <= fewMentions {
		clear(d.byKey)
		return
	}
	if d.byKey == nil {
		d.byKey = map[string]int{}
	}
	if len(d.byKey) == 0 {
		first = 0
	}
	for i := first; i < len(d.M.Mentions); i++ {
		m := &d.M.Mentions[i]
		d.indexMention(m.Placeholder, i)
		if m.ID != nil {
			d.indexMention(*m.ID, i)
		}
		if m.IsAll {
			d.indexMention(everyone, i)
		}
	}
}

func (d *reader) indexMention(key string, i int) {
	if _, taken := d.byKey[key]; !taken && key != "" {
		d.byKey[key] = i
	}
}

// mention finds a mention by what stands for it or by its id, nil where there is none.
func (d *reader) mention(key string) *schemas.Mention {
	if isEveryone(key) {
		key = everyone
	}
	if len(d.M.Mentions) > fewMentions {
		if i, ok := d.byKey[key]; ok {
			return &d.M.Mentions[i]
		}
		return nil
	}
	for i := range d.M.Mentions {
		m := &d.M.Mentions[i]
		if m.Placeholder == key || m.ID != nil && *m.ID == key || m.IsAll && key == everyone {
			return m
		}
	}
	return nil
}

// say adds text, with placeholders of mentions replaced.
func (d *reader) say(text string) {
	if strings.IndexByte(text, '@') >= 0 {
		d.replaceMentions(text)
		return
	}
	d.Text.Add(text)
}

// replaceMentions adds text with each placeholder replaced by @name. A placeholder is taken as the whole word that it
// is: @_user_1 is not found in @_user_10. One that nobody is named for stays as it is.
func (d *reader) replaceMentions(text string) {
	done := 0
	for i := 0; i+1 < len(text); {
		if text[i] != '@' || text[i+1] != '_' {
			i++
			continue
		}
		end := wordEnd(text, i+2)
		n := d.placeholder(text[i:end])
		if n == 0 {
			i = end
			continue
		}
		d.Text.Add(text[done:i])
		d.atKey(text[i:i+n], "")
		i += n
		done = i
	}
	d.Text.Add(text[done:])
}

// placeholder gives the length of the placeholder that a word starts with, 0 where it is none. The number of @_user_N
// may run into letters that follow it.
func (d *reader) placeholder(word string) int {
	if word == everyone || d.mention(word) != nil {
		return len(word)
	}
	const user = "@_user_"
	if len(word) <= len(user) || word[:len(user)] != user {
		return 0
	}
	n := len(user)
	for n < len(word) && '0' <= word[n] && word[n] <= '9' {
		n++
	}
	if n < len(word) && d.mention(word[:n]) != nil {
		return n
	}
	return 0
}

// wordEnd gives where the letters, digits and underscores from i on end.
func wordEnd(s string, i int) int {
	for i < len(s) {
		c := s[i]
		if c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			break
		}
		i++
	}
	return i
}

// atKey adds @name for who is named by key, a placeholder or an id. name, where not "", is how the content calls them;
// somebody whom mentions do not list is added there. Without a key there is the name alone.
func (d *reader) atKey(key, name string) {
	if key == "" {
		if name != "" {
			d.Text.Add("@")
			d.Text.Add(name)
		}
		return
	}
	m := d.mention(key)
	if m == nil {
		m = d.addMention(key)
	}
	if m != nil && m.Name == nil {
		if m.IsAll && name == "" {
			name = everyoneName
		}
		m.Name = d.Optional(d.Keep(d.Bounded(name, "mentions.name")))
	}
	switch {
	case m != nil && m.Name != nil:
		name = *m.Name
	case name == "" && m != nil && m.ID != nil:
		name = *m.ID
	case name == "":
		name = strings.TrimPrefix(key, "@")
	}
	d.Text.Add("@")
	d.Text.Add(name)
}

// idType gives the kind of an id by how it begins, "" where that is not known.
func idType(id string) string {
	switch {
	case strings.HasPrefix(id, "ou_"):
		return openID
	case strings.HasPrefix(id, "on_"):
		return "union_id"
	case strings.HasPrefix(id, "cli_"):
		return "app_id"
	case strings.IndexByte(id, '@') > 0:
		return "email"
	}
	return ""
}

// addMention notes a mention that only the content tells. Members are named there by id, everybody by a word. nil says
// that it is neither, or one too many.
func (d *reader) addMention(key string) *schemas.Mention {
	n := len(d.M.Mentions)
	m := schemas.Mention{IsAll: isEveryone(key)}
	switch {
	case n >= decode.MaxParts || key == "" || key[0] == '@' && !m.IsAll:
		return nil
	case m.IsAll:
		m.Placeholder = everyone
	default:
		m.ID = d.String(d.Keep(d.Bounded(key, "mentions.id")))
		m.IDType = d.Optional(idType(key))
	}
	d.M.Mentions = append(d.M.Mentions, m)
	d.indexMentions(n)
	return &d.M.Mentions[n]
}
