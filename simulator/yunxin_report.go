package simulator

// YunxinReport is what was served so far.
type YunxinReport struct {
	Traffic
	Unauthorized int // calls refused for their credentials
	Duplicates   int // calls refused for a nonce or trace id that came before
	// Distinct messages that a whole answer has shown: by history, by batch_messages, by either; and distinct merged files.
	InHistory, InBatches, Shown, Files int
}

const (
	shownInHistory = 1 << iota
	shownInBatch
	shownFile
)

// Report sums up what was served so far.
func (y *Yunxin) Report() YunxinReport {
	y.mu.Lock()
	defer y.mu.Unlock()
	return YunxinReport{Traffic: y.sum(), Unauthorized: y.strangers, Duplicates: y.duplicates, InHistory: y.count(shownInHistory),
		InBatches: y.count(shownInBatch), Shown: y.count(shownInHistory | shownInBatch), Files: y.count(shownFile)}
}

// Shown lists the ids of messages that whole answers of history and batch_messages have shown, sorted.
func (y *Yunxin) Shown() []string { return y.ids(shownInHistory | shownInBatch) }

// FilesShown lists the paths of merged files that were sent whole, sorted.
func (y *Yunxin) FilesShown() []string { return y.ids(shownFile) }
