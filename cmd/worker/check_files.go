package worker

import (
	"crypto/tls"
	"os"
	"strings"

	"chatlake/connectors/api"
	"chatlake/kafka"
)

// readable refuses a file that cannot be read. No error repeats its name: a variable may hold something else by mistake.
func readable(name, path string) error {
	if path == "" {
		return nil
	}
	if _, err := os.ReadFile(path); err != nil {
		return &SettingError{name, "names a file that cannot be read: " + withoutPath(err)}
	}
	return nil
}

// certificates reads the PEM files that settings name: authority, certificate and key, in this order.
func certificates(files [3][2]string) (*tls.Config, error) {
	var names []string
	hide := []string{}
	for _, f := range files {
		if f[1] == "" {
			continue
		}
		if err := readable(f[0], f[1]); err != nil {
			return nil, err
		}
		names = append(names, f[0])
		hide = append(hide, f[1], f[0])
	}
	t, err := kafka.TLSConfig(files[0][1], files[1][1], files[2][1])
	if err != nil {
		return nil, &SettingError{strings.Join(names, " or "), "cannot be used: " + strings.NewReplacer(hide...).Replace(err.Error())}
	}
	return t, nil
}

// check reads the authorities that the platforms' certificates may be of.
func (p *Platforms) check() error {
	const name = "PLATFORM_TLS_CA_FILE"
	if p.PlatformCA == "" {
		return nil
	}
	pem, err := os.ReadFile(p.PlatformCA)
	if err != nil {
		return &SettingError{name, "names a file that cannot be read: " + withoutPath(err)}
	}
	var some bool
	if p.roots, some = api.Trust(pem); !some {
		return &SettingError{name, "names a file that holds no certificate in PEM (-----BEGIN CERTIFICATE-----)"}
	}
	return nil
}
