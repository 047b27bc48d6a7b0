package local

import (
	"bufio"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A request is at most this long, as with Kafka (socket.request.max.bytes).
const maxRequest = 100 << 20

var errNotKafka = errors.New("not a kafka request")

// guard is a listener whose connections give the broker nothing but frames that look like requests of Kafka, and whose
// address is the one for clients, and requests that write only where there is room. kfake believes every length that it is told, up to 4 GiB, and ends the process over a
// request that it does not know: a browser or a port scanner on the port must do neither.
type guard struct {
	net.Listener
	address string
	log     *slog.Logger
	space   *space
}

func newGuard(ln net.Listener, host string, log *slog.Logger, space *space) *guard {
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil { // an address of a TCP listener always has a port
		return &guard{ln, ln.Addr().String(), log, space}
	}
	return &guard{ln, net.JoinHostPort(host, port), log, space}
}

func (g *guard) Accept() (net.Conn, error) {
	conn, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &frames{Conn: conn, in: bufio.NewReader(conn), log: g.log, space: g.space}, nil
}

// Addr is what kfake tells clients in its metadata.
func (g *guard) Addr() net.Addr { return advertised(g.address) }

type advertised string

func (advertised) Network() string  { return "tcp" }
func (a advertised) String() string { return string(a) }

// frames checks the head of each request: int32 length, int16 API key, int16 version
// (https://kafka.apache.org/protocol#protocol_messages).
type frames struct {
	net.Conn
	in    *bufio.Reader
	left  int // bytes of the current request
	log   *slog.Logger
	space *space
}

func (f *frames) Read(p []byte) (int, error) {
	if f.left == 0 {
		head, err := f.in.Peek(8)
		if err != nil {
			return 0, err
		}
		length, key := binary.BigEndian.Uint32(head), int16(binary.BigEndian.Uint16(head[4:]))
		version := int16(binary.BigEndian.Uint16(head[6:]))
		request := kmsg.RequestForKey(key)
		if length < 8 || length > maxRequest || request == nil || version < 0 || version > request.MaxVersion() && key != apiVersions {
			f.log.Warn("embedded broker: a connection that does not speak Kafka is closed", "address", f.RemoteAddr().String(), "error", errNotKafka)
			return 0, errNotKafka
		}
		if !f.space.admit(key, int64(length)) {
			return 0, ErrNoSpace // the client has no answer, and nothing was done
		}
		f.left = 4 + int(length)
	}
	if len(p) > f.left {
		p = p[:f.left]
	}
	n, err := f.in.Read(p)
	f.left -= n
	return n, err
}

// A client asks with the highest version that it knows and is told the ones that are known here (KIP-511).
const apiVersions = 18
