package yunxin

import (
	"net"
	"testing"
)

// The guard sees the address that a name led to; the table is what it must let through and what not.
func TestPublicAddresses(t *testing.T) {
	for address, want := range map[string]bool{
		"8.8.8.8": true, "59.111.0.1": true, "2400:3200::1": true, "2606:4700::1111": true,
		"0.0.0.0": false, "0.1.2.3": false, "10.1.2.3": false, "100.64.0.1": false, "127.0.0.1": false, "127.9.9.9": false, "169.254.169.254": false,
		"172.16.0.1": false, "172.31.255.255": false, "172.32.0.1": true, "192.168.1.1": false, "192.0.0.8": false, "198.18.0.1": false,
		"224.0.0.1": false, "239.1.1.1": false, "240.0.0.1": false, "255.255.255.255": false, "203.0.113.9": false,
		"::": false, "::1": false, "::ffff:127.0.0.1": false, "::ffff:8.8.8.8": true, "::7f00:1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false,
		"2001:0:1::1": false, "fc00::1": false, "fd12::1": false, "fe80::1": false, "fe80::1%eth0": false, "fec0::1": false, "ff02::1": false, "2001:db8::1": false,
	} {
		if got := guard("tcp", net.JoinHostPort(address, "443"), nil) == nil; got != want {
			t.Errorf("%s: %t", address, got)
		}
	}
}
