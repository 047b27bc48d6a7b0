package worker_test

import (
	"context"
	"os"
	"syscall"
	"testing"
	"time"

	"chatlake/cmd/worker"
)

// TestOneSignalSentTwice: timeout(1) sends its signal to the program and to the program's group. A second one that is taken
// for an order to end at once would end this test's process.
func TestOneSignalSentTwice(t *testing.T) {
	ctx, stop := worker.Signals(context.Background(), func() string { return "the test" })
	defer stop()
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	if err := self.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select { // nothing to wait for: what must not happen is the end of the process
	case <-time.After(100 * time.Millisecond):
	case <-t.Context().Done():
	}
}
