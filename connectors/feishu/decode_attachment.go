package feishu

import (
	"chatlake/connectors"
	"chatlake/schemas"
)

// attach adds an attachment with its key. nil says that there are too many.
func (d *reader) attach(kind string, key connectors.JSON) *schemas.Attachment {
	n := len(d.M.Attachments)
	if n >= connectors.MaxParts {
		if n == connectors.MaxParts && !d.full {
			d.full = true
			d.Issue("attachments", schemas.IssueTruncated, "are more than 10000")
		}
		return nil
	}
	a := schemas.Attachment{AttachmentNo: int64(n + 1), Kind: kind}
	a.FileKey = d.Optional(d.Str(key, "attachments.file_key"))
	if a.FileKey == nil && connectors.Blank(key) {
		d.Issue("attachments.file_key", schemas.IssueNulled, "is not told")
	}
	d.M.Attachments = append(d.M.Attachments, a)
	return &d.M.Attachments[n]
}

// name reads file_name and what follows from its ending.
func (d *reader) name(a *schemas.Attachment, c connectors.JSON) {
	if a == nil {
		return
	}
	name := d.Str(c.Get("file_name"), "attachments.name")
	a.Name = d.Optional(name)
	if a.Kind != "folder" {
		a.MimeType = d.Optional(connectors.MediaType(name))
	}
}

func (d *reader) duration(a *schemas.Attachment, c connectors.JSON) {
	if a != nil {
		a.DurationMs = d.Size(c.Get("duration"), "attachments.duration_ms")
	}
}

// video reads a video with its cover image, whose key is kept as the attribute cover_image_key.
func (d *reader) video(c connectors.JSON) {
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

// image adds an image of a post or card.
func (d *reader) image(c connectors.JSON, keys ...string) {
	key := connectors.JSON{}
	for _, k := range keys {
		if key = c.Get(k); key.Told() {
			break
		}
	}
	if a := d.attach("image", key); a != nil {
		a.Width = d.Size(c.Get("width"), "attachments.width")
		a.Height = d.Size(c.Get("height"), "attachments.height")
	}
}
