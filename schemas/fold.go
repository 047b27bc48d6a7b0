package schemas

// Fold is what the records of the topic of containers say together. The first record of a key's highest epoch stands,
// and that epoch is cancelled once any record of it says so; so writing a container again is always harmless, whoever
// writes it, and the order of writers does not matter but for which record is first.
type Fold map[ContainerKey]*Container

// Add takes the next record of the topic and reports whether it changed what stands.
func (f Fold) Add(c *Container) bool {
	key := ContainerKey(c.Key)
	old := f[key]
	switch {
	case old == nil || c.Epoch > old.Epoch:
		f[key] = c
		return true
	case c.Epoch == old.Epoch && c.Cancelled && !old.Cancelled:
		old.Cancelled = true
		return true
	}
	return false
}
