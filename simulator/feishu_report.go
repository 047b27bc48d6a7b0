package simulator

// Report is what was served so far.
type Report struct {
	Traffic
	TokensIssued int
	// Distinct messages that a whole answer has shown: by chat lists, by thread lists, by either, by GET (children of
	// merged forwards left out), and children of merged forwards.
	InChats, InThreads, InLists, ByID, Children int
}

const (
	shownInChat = 1 << iota
	shownInThread
	shownByID
	shownAsChild
)

// Report sums up what was served so far.
func (f *Feishu) Report() Report {
	f.mu.Lock()
	defer f.mu.Unlock()
	return Report{Traffic: f.sum(), TokensIssued: f.tokens.issued, InChats: f.count(shownInChat), InThreads: f.count(shownInThread),
		InLists: f.count(shownInChat | shownInThread), ByID: f.count(shownByID), Children: f.count(shownAsChild)}
}

// Shown lists the ids of messages that whole answers of lists of chats and threads have shown, sorted.
func (f *Feishu) Shown() []string { return f.ids(shownInChat | shownInThread) }
