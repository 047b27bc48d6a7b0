package feishu

import (
	"strings"

	"chatlake/connectors"
	"chatlake/schemas"
)

// attach adds an attachment with its key. nil says that there are too many.
func (d *Decoder) attach(kind string, key connectors.JSON) *schemas.Attachment {
	n := len(d.m.Attachments)
	if n >= maxParts {
		if n == maxParts && !d.full {
			d.full = true
			d.issue("attachments", schemas.IssueTruncated, "are more than 10000")
		}
		return nil
	}
	a := schemas.Attachment{AttachmentNo: int64(n + 1), Kind: kind}
	a.FileKey = d.mem.optional(d.str(key, "attachments.file_key"))
	if a.FileKey == nil && absent(key) {
		d.issue("attachments.file_key", schemas.IssueNulled, "is not told")
	}
	d.m.Attachments = append(d.m.Attachments, a)
	return &d.m.Attachments[n]
}

// name reads file_name and what follows from its ending.
func (d *Decoder) name(a *schemas.Attachment, c connectors.JSON) {
	if a == nil {
		return
	}
	name := d.str(c.Get("file_name"), "attachments.name")
	a.Name = d.mem.optional(name)
	if a.Kind != "folder" {
		a.MimeType = d.mem.optional(mediaType(name))
	}
}

func (d *Decoder) duration(a *schemas.Attachment, c connectors.JSON) {
	if a != nil {
		a.DurationMs = d.size(c.Get("duration"), "attachments.duration_ms")
	}
}

// video reads a video with its cover image, whose key is kept as the attribute cover_image_key.
func (d *Decoder) video(c connectors.JSON) {
	a := d.attach("video", c.Get("file_key"))
	d.name(a, c)
	d.duration(a, c)
	if a == nil {
		return
	}
	if cover := d.str(c.Get("image_key"), "attachments.attributes"); cover != "" {
		a.Attributes.Set("cover_image_key", cover)
	}
}

// image adds an image of a post or card.
func (d *Decoder) image(c connectors.JSON, keys ...string) {
	key := connectors.JSON{}
	for _, k := range keys {
		if key = c.Get(k); key.Told() {
			break
		}
	}
	if a := d.attach("image", key); a != nil {
		a.Width = d.size(c.Get("width"), "attachments.width")
		a.Height = d.size(c.Get("height"), "attachments.height")
	}
}

// size reads a whole number that cannot be negative.
func (d *Decoder) size(v connectors.JSON, field string) *int64 {
	n := d.whole(v, field)
	if n != nil && *n < 0 {
		d.issue(field, schemas.IssueNulled, "is negative")
		return nil
	}
	return n
}

// mediaType gives the media type (IANA registry) that is plain from a file name's ending, "" for all others. The list
// is ours, so that it is the same on every machine.
func mediaType(name string) string {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 || len(name)-dot > 6 {
		return ""
	}
	switch strings.ToLower(name[dot+1:]) {
	case "pdf":
		return "application/pdf"
	case "txt", "log":
		return "text/plain"
	case "md":
		return "text/markdown"
	case "csv":
		return "text/csv"
	case "html", "htm":
		return "text/html"
	case "json":
		return "application/json"
	case "xml":
		return "application/xml"
	case "zip":
		return "application/zip"
	case "gz":
		return "application/gzip"
	case "doc":
		return "application/msword"
	case "docx":
		return "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	case "xls":
		return "application/vnd.ms-excel"
	case "xlsx":
		return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	case "ppt":
		return "application/vnd.ms-powerpoint"
	case "pptx":
		return "application/vnd.openxmlformats-officedocument.presentationml.presentation"
	}
	return pictureOrSound(strings.ToLower(name[dot+1:]))
}

func pictureOrSound(ending string) string {
	switch ending {
	case "png", "gif", "webp", "bmp", "heic":
		return "image/" + ending
	case "jpg", "jpeg":
		return "image/jpeg"
	case "svg":
		return "image/svg+xml"
	case "mp3":
		return "audio/mpeg"
	case "wav":
		return "audio/wav"
	case "ogg", "opus":
		return "audio/ogg"
	case "m4a":
		return "audio/mp4"
	case "mp4":
		return "video/mp4"
	case "mov":
		return "video/quicktime"
	case "webm":
		return "video/webm"
	}
	return ""
}
