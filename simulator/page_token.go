package simulator

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// pageToken is the place where the next page begins, bound to the query that it belongs to.
type pageToken struct {
	epoch uint16 // tokens of an older epoch are refused
	hop   uint16 // empty pages before it, so that each has a token of its own
	index uint32 // in the order of the container
}

var errPageToken = errors.New("page token refused")

// seal makes an opaque token: the same place in the same query gives the same token.
func (p pageToken) seal(query string) string {
	b := make([]byte, 8, 40)
	binary.BigEndian.PutUint16(b, p.epoch)
	binary.BigEndian.PutUint16(b[2:], p.hop)
	binary.BigEndian.PutUint32(b[4:], p.index)
	mark := hmac.New(sha256.New, []byte("page token of "+query))
	mark.Write(b)
	sum := mark.Sum(nil)
	for i := range b {
		b[i] ^= sum[24+i%8] // the place is no business of whoever holds the token
	}
	return base64.URLEncoding.EncodeToString(append(b, sum...))
}

// openPageToken reads a token that was sealed for the same query.
func openPageToken(token, query string) (pageToken, error) {
	b, err := base64.URLEncoding.DecodeString(token)
	if err != nil || len(b) != 40 {
		return pageToken{}, errPageToken
	}
	place, sum := b[:8], b[8:]
	for i := range place {
		place[i] ^= sum[24+i%8]
	}
	mark := hmac.New(sha256.New, []byte("page token of "+query))
	mark.Write(place)
	if !hmac.Equal(mark.Sum(nil), sum) {
		return pageToken{}, errPageToken
	}
	return pageToken{epoch: binary.BigEndian.Uint16(place), hop: binary.BigEndian.Uint16(place[2:]),
		index: binary.BigEndian.Uint32(place[4:])}, nil
}
