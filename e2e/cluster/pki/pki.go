// Package pki makes the certificates, keys and kubeconfigs of one throw-away
// cluster. Nothing here is fit for a cluster that lives longer than a day's work:
// the authority's key lies beside the certificates.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"time"
)

const (
	// skew allows for a clock that is set back while the cluster is up.
	skew     = time.Hour
	lifetime = 365 * 24 * time.Hour
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// subject is whom a certificate is for.
type subject struct {
	name   string
	groups []string
	// hosts are the names and addresses of a server; none makes it a client only.
	hosts []string
}

// issued is a certificate with its key.
type issued struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(name string) (authority, error) {
	tmpl, err := template(name, nil)
	if err != nil {
		return authority{}, err
	}
	tmpl.IsCA, tmpl.BasicConstraintsValid = true, true
	tmpl.KeyUsage |= x509.KeyUsageCertSign
	made, err := sign(tmpl, authority{})
	if err != nil {
		return authority{}, fmt.Errorf("authority %s: %w", name, err)
	}
	return authority(made), nil
}

func (a authority) issue(s subject) (issued, error) {
	tmpl, err := template(s.name, s.groups)
	if err != nil {
		return issued{}, err
	}
	tmpl.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(s.hosts) > 0 {
		tmpl.ExtKeyUsage = append(tmpl.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	for _, host := range s.hosts {
		if ip := net.ParseIP(host); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, host)
		}
	}
	made, err := sign(tmpl, a)
	if err != nil {
		return issued{}, fmt.Errorf("certificate for %s: %w", s.name, err)
	}
	return made, nil
}

func template(name string, groups []string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name, Organization: groups},
		NotBefore:    now.Add(-skew),
		NotAfter:     now.Add(lifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}, nil
}

// sign signs with a new key's own when by is empty.
func sign(tmpl *x509.Certificate, by authority) (issued, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return issued{}, err
	}
	if by.key == nil {
		by = authority{cert: tmpl, key: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, by.cert, key.Public(), by.key)
	if err != nil {
		return issued{}, err
	}
	cert, err := x509.ParseCertificate(der)
	return issued{cert: cert, key: key}, err
}
