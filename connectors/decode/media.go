package decode

import "strings"

// MediaType gives the media type (IANA registry) that is plain from a file name's ending, "" for all others. The list
// is ours, so that it is the same on every machine.
func MediaType(name string) string {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 || len(name)-dot > 6 {
		return ""
	}
	ending := strings.ToLower(name[dot+1:])
	switch ending {
	case "pdf", "json", "xml", "zip":
		return "application/" + ending
	case "txt", "log":
		return "text/plain"
	case "md":
		return "text/markdown"
	case "csv":
		return "text/csv"
	case "html", "htm":
		return "text/html"
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
	return pictureOrSound(ending)
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
	case "wav", "aac":
		return "audio/" + ending
	case "amr":
		return "audio/AMR"
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
