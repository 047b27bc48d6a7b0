package kafka_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chatlake/kafka"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// authority makes a certificate authority and one certificate for 127.0.0.1, good for servers and clients, as PEM files.
func authority(t *testing.T) (ca, cert, key string) {
	t.Helper()
	dir := t.TempDir()
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, &caKey.PublicKey, caKey)
	must(t, err)
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: root.NotBefore, NotAfter: root.NotAfter, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, &leafKey.PublicKey, caKey)
	must(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(leafKey)
	must(t, err)
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return path
	}
	return write("ca.pem", "CERTIFICATE", rootDER), write("cert.pem", "CERTIFICATE", leafDER), write("key.pem", "PRIVATE KEY", keyDER)
}

func TestTLSAndSASL(t *testing.T) {
	ca, cert, key := authority(t)
	mutual, err := kafka.TLSConfig(ca, cert, key)
	must(t, err)
	oneWay, err := kafka.TLSConfig(ca, "", "")
	must(t, err)
	server := &tls.Config{Certificates: mutual.Certificates, ClientCAs: mutual.RootCAs, ClientAuth: tls.RequireAndVerifyClientCert}
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			p := embedded(t, kfake.TLS(server), kfake.EnableSASL(), kfake.Superuser(mechanism, "lake", "p,a=ss"))
			login := func(password string, trust *tls.Config) func(*kafka.Config) {
				return func(c *kafka.Config) {
					c.TLS, c.Mechanism, c.Username, c.Password = trust, mechanism, "lake", password
				}
			}
			c := p.quick(p.client(t, login("p,a=ss", mutual)))
			ctx := within(t, time.Minute)
			must(t, c.Ping(ctx))
			s := copying{from: p.name("in"), to: p.name("out"), batch: 10, n: 20}
			p.topics(t, c, 1, s.from, s.to)
			must(t, c.Produce(ctx, numbered(s.from, 0, 20)))
			must(t, c.Own(ctx, s.ownership("g"), s.run))
			exactly(t, "reader", values(t, c, s.to, 0), 0, 20)

			for name, wrong := range map[string]func(*kafka.Config){
				"password":       login("wrong", mutual),
				"no certificate": login("p,a=ss", oneWay),
				"unknown issuer": login("p,a=ss", &tls.Config{}),
				"plaintext":      login("p,a=ss", nil),
			} {
				c := p.quick(p.client(t, wrong))
				err := c.Ping(within(t, 20*time.Second))
				if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), p.brokers[0]) {
					t.Errorf("%s: got %v", name, err)
				}
				if err != nil && strings.Contains(err.Error(), "p,a=ss") {
					t.Errorf("%s: the password is in %v", name, err)
				}
			}
			// A refused password ends an owner; it does not try for ever. The embedded broker only hangs up on one, Kafka says so.
			p.fake.ControlKey(int16(kmsg.SASLAuthenticate), func(req kmsg.Request) (kmsg.Response, error, bool) {
				p.fake.KeepControl()
				out := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
				out.ErrorCode, out.ErrorMessage = kerr.SaslAuthenticationFailed.Code, kmsg.StringPtr("Authentication failed")
				return out, nil, true
			})
			err := p.quick(p.client(t, login("wrong", mutual))).Own(ctx, s.ownership("g"), s.run)
			if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "Authentication Failed") {
				t.Errorf("own with a wrong password: %v", err)
			}
			for name, wrong := range map[string]func(*kafka.Config){"no certificate": login("p,a=ss", oneWay), "unknown issuer": login("p,a=ss", &tls.Config{})} {
				if err := p.quick(p.client(t, wrong)).Own(ctx, s.ownership("g"), s.run); err == nil || ctx.Err() != nil {
					t.Errorf("own with %s: %v", name, err)
				}
			}
		})
	}
}

func TestUnreachableBroker(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	addr := l.Addr().String()
	must(t, l.Close())
	c := place{brokers: []string{addr}}.client(t)
	err = c.Ping(within(t, 20*time.Second))
	if err == nil || !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v", err)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	p := embedded(t, kfake.SeedTopics(1, "in"))
	p.fake.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		out := req.ResponseKind().(*kmsg.MetadataResponse)
		if in := req.(*kmsg.MetadataRequest); in.Topics == nil {
			return nil, nil, false // the transport's own
		}
		p.fake.KeepControl()
		out.ClusterID = kmsg.StringPtr(strings.Repeat("x", 30_000))
		for range 1000 {
			topic := kmsg.NewMetadataResponseTopic()
			topic.Topic = out.ClusterID
			out.Topics = append(out.Topics, topic)
		}
		return out, nil, true
	})
	if err := p.client(t).Ping(within(t, 20*time.Second)); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("got %v", err)
	}
}

func TestSettings(t *testing.T) {
	for name, tc := range map[string]struct {
		config kafka.Config
		want   string
	}{
		"none":      {kafka.Config{}, "no brokers"},
		"no port":   {kafka.Config{Brokers: []string{"host"}}, `"host"`},
		"mechanism": {kafka.Config{Brokers: []string{"h:1"}, Mechanism: "GSSAPI", Password: "secret"}, "GSSAPI"},
		"no mech":   {kafka.Config{Brokers: []string{"h:1"}, Username: "u", Password: "secret"}, "without a SASL mechanism"},
		"saslprep":  {kafka.Config{Brokers: []string{"h:1"}, Mechanism: "SCRAM-SHA-256", Username: "u", Password: "secret\x00"}, "SCRAM-SHA-256"},
	} {
		_, err := kafka.NewClient(tc.config)
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	must(t, os.WriteFile(empty, []byte("nothing"), 0o600))
	for _, tc := range [][4]string{{"/nowhere/ca.pem", "", "", "/nowhere/ca.pem"}, {empty, "", "", empty}, {"", "/x/cert.pem", "", "/x/cert.pem"}, {"", "/x/cert.pem", "/x/key.pem", "/x/cert.pem"}} {
		if _, err := kafka.TLSConfig(tc[0], tc[1], tc[2]); err == nil || !strings.Contains(err.Error(), tc[3]) {
			t.Errorf("%v: got %v", tc, err)
		}
	}
	if _, err := kafka.TLSConfig("/nowhere/ca.pem", "", ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v does not wrap its cause", err)
	}
}
