// Package worker wires the two stages to Kafka, the schema registry and the platforms, from settings in the environment.
// The programs extractor, normalizer and chatlake share it, so that a stage runs the same alone and inside a demo. It
// knows the settings of a program and no rule of the pipeline.
package worker

// Version is the version of all programs; it stands in ce_connectorversion and normalizer_version.
const Version = "0.1.0"
