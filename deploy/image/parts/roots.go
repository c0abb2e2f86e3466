package parts

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/serin-dev/serin/deploy/image/archive"
)

// rootsModule has the certificate authorities.
const rootsModule = "golang.org/x/crypto/x509roots/fallback"

// RootsModule is that module at the version that is linked into this program.
func RootsModule() (*debug.Module, error) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil, errors.New("this program does not know its modules")
	}
	i := slices.IndexFunc(info.Deps, func(m *debug.Module) bool { return m.Path == rootsModule })
	if i < 0 {
		return nil, fmt.Errorf("module %s is not linked into this program", rootsModule)
	}
	return info.Deps[i], nil
}

// RootsPath is where Go, curl and GnuTLS all look first.
const RootsPath = "/etc/ssl/certs/ca-certificates.crt"

// Roots returns the file of certificate authorities of an image: Mozilla's, at
// the version of golang.org/x/crypto/x509roots/fallback in go.mod, so that every
// machine writes the same.
//
// It is a file, not that package linked into the program, because the fallback
// steps aside as soon as the system has any certificate: a company's own mounted
// at /etc/ssl/certs would take away all others. A file adds up, and curl reads it.
func Roots() (archive.File, error) {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		// A root that is trusted for older certificates only: a file cannot say so.
		if root.Constraint != nil {
			continue
		}
		if err := pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return archive.File{}, fmt.Errorf("encode certificate authorities: %w", err)
		}
	}
	return archive.File{Path: RootsPath, Data: out.Bytes()}, nil
}
