package schemas

// Fold is what the records of the topic of containers say together. The first record of a key's highest epoch is in force.
// That epoch is cancelled once any record of it says so, and resumes an earlier one only while all of its records say so. So
// writing a container again is always harmless, whoever writes it, and the order of writers does not matter but for which
// record is first.
type Fold map[ContainerKey]*Container

// Add takes the next record of the topic and reports whether it changed what is in force.
func (f Fold) Add(c *Container) bool {
	key := ContainerKey(c.Key)
	old := f[key]
	if old == nil || c.Epoch > old.Epoch {
		f[key] = c
		return true
	}
	cancelled, resume := old.Cancelled || c.Cancelled, old.Resume && c.Resume
	if c.Epoch < old.Epoch || cancelled == old.Cancelled && resume == old.Resume {
		return false
	}
	old.Cancelled, old.Resume = cancelled, resume
	return true
}
