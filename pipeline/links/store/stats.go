package store

// Stats is how large the index is, and how often a block of it was found in memory.
type Stats struct {
	Bytes        int64 // on disk
	Hits, Misses int64 // of the cache of blocks, since the index was opened
}

// Stats looks at the index as it is now.
func (ix *Index) Stats() Stats {
	m := ix.db.Metrics()
	return Stats{Bytes: int64(m.DiskSpaceUsage()), Hits: m.BlockCache.Hits, Misses: m.BlockCache.Misses}
}
