// Package schemas is the format of everything in chatlake's topics: names, keys, headers and partitions of records, the
// Avro schemas of their values, and one Go struct for each. It knows neither how records are moved nor what any platform
// means by them.
package schemas

//go:generate go run ./generate
