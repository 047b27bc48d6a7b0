package feishu

import (
	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// attach adds an attachment with its key. nil says that there are too many.
func (d *reader) attach(kind string, key decode.JSON) *schemas.Attachment {
	a := d.addAttachment(kind)
	if a == nil {
		return nil
	}
	a.FileKey = d.Optional(d.Str(key, "attachments.file_key"))
	if a.FileKey == nil && decode.Blank(key) {
		d.Issue("attachments.file_key", schemas.IssueNulled, "is not told")
	}
	return a
}

// attachKey adds an attachment with a key in the parser's memory.
func (d *reader) attachKey(kind, key string) {
	if a := d.addAttachment(kind); a != nil {
		a.FileKey = d.String(d.Keep(d.Bounded(key, "attachments.file_key")))
	}
}

func (d *reader) addAttachment(kind string) *schemas.Attachment {
	n := len(d.M.Attachments)
	if n >= decode.MaxParts {
		if !d.full {
			d.full = true
			d.Issue("attachments", schemas.IssueTruncated, "are more than 10000")
		}
		return nil
	}
	d.M.Attachments = append(d.M.Attachments, schemas.Attachment{AttachmentNo: int64(n + 1), Kind: kind})
	return &d.M.Attachments[n]
}

// name reads file_name and what follows from its ending.
func (d *reader) name(a *schemas.Attachment, c decode.JSON) {
	if a == nil {
		return
	}
	name := d.Str(c.Get("file_name"), "attachments.name")
	a.Name = d.Optional(name)
	if a.Kind != "folder" {
		a.MimeType = d.Optional(decode.MediaType(name))
	}
}

func (d *reader) duration(a *schemas.Attachment, c decode.JSON) {
	if a != nil {
		a.DurationMs = d.Size(c.Get("duration"), "attachments.duration_ms")
	}
}

// video reads a video with its cover image, whose key is kept as the attribute cover_image_key.
func (d *reader) video(c decode.JSON) {
	a := d.attach("video", c.Get("file_key"))
	d.name(a, c)
	d.duration(a, c)
	if a == nil {
		return
	}
	if cover := d.Str(c.Get("image_key"), "attachments.attributes"); cover != "" {
		a.Attributes.Set("cover_image_key", cover)
	}
}

// fileName is name for what cannot be without one.
func (d *reader) fileName(a *schemas.Attachment, c decode.JSON) {
	if d.name(a, c); a != nil && !c.Get("file_name").Told() {
		d.Issue("attachments.name", schemas.IssueNulled, "is absent")
	}
}

// image adds an image of a post or card.
func (d *reader) image(f *imageFields) {
	if a := d.attach("image", f.key()); a != nil {
		a.Width = d.Size(f.width, "attachments.width")
		a.Height = d.Size(f.height, "attachments.height")
	}
}
