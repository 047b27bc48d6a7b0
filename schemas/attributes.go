package schemas

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Attributes is an Avro map<string> in the order of its keys.
//
// A Go map would be encoded in another order each time, and the same raw topic is to give the same bytes on any machine.
// In Avro's binary form a map<string> and an array of records {key, value} are the same bytes, so the codec reads and
// writes Attributes as that array, while the registered schema says map.
type Attributes []Attribute

// Attribute is one entry of Attributes.
type Attribute struct {
	Key   string `avro:"key"`
	Value string `avro:"value"`
}

// Get returns the value of key, or "" where it is not there.
func (a Attributes) Get(key string) string {
	for _, e := range a {
		if e.Key == key {
			return e.Value
		}
	}
	return ""
}

// Set adds key or replaces its value, keeping the order of keys.
func (a *Attributes) Set(key, value string) {
	i, found := slices.BinarySearchFunc(*a, key, func(e Attribute, k string) int { return strings.Compare(e.Key, k) })
	if found {
		(*a)[i].Value = value
		return
	}
	*a = slices.Insert(*a, i, Attribute{key, value})
}

// MarshalJSON writes an object.
func (a Attributes) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, e := range a {
		if i > 0 {
			b.WriteByte(',')
		}
		k, err := json.Marshal(e.Key)
		if err != nil {
			return nil, err
		}
		v, err := json.Marshal(e.Value)
		if err != nil {
			return nil, err
		}
		b.Write(k)
		b.WriteByte(':')
		b.Write(v)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON reads an object of strings.
func (a *Attributes) UnmarshalJSON(b []byte) error {
	var m map[string]string
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	*a = nil
	for k, v := range m {
		a.Set(k, v)
	}
	return nil
}
