package pki

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

func write(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	c := Cluster{Server: "https://127.0.0.1:16443", Hosts: []string{"10.96.0.1"}, Node: "node-1", NodeIP: "10.89.0.2"}
	if err := Write(dir, c); err != nil {
		t.Fatal(err)
	}
	return dir
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func roots(t *testing.T, dir, name string) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(read(t, dir, name)) {
		t.Fatalf("no certificate in %s", name)
	}
	return pool
}

func pair(t *testing.T, cert, key []byte) *x509.Certificate {
	t.Helper()
	made, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return made.Leaf
}

func TestServersAreKnownByTheirNames(t *testing.T) {
	dir := write(t)
	tests := map[string][]string{
		"apiserver":      {"127.0.0.1", "localhost", "10.89.0.2", "10.96.0.1", "kubernetes.default.svc"},
		"kubelet-server": {"10.89.0.2", "node-1"},
	}
	for name, hosts := range tests {
		leaf := pair(t, read(t, dir, name+".crt"), read(t, dir, name+".key"))
		for _, host := range hosts {
			if _, err := leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots(t, dir, "ca.crt")}); err != nil {
				t.Errorf("%s as %s: %v", name, host, err)
			}
		}
	}
}

func TestFrontProxyHasAnAuthorityOfItsOwn(t *testing.T) {
	dir := write(t)
	leaf := pair(t, read(t, dir, "front-proxy-client.crt"), read(t, dir, "front-proxy-client.key"))
	client := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots(t, dir, "front-proxy-ca.crt"), KeyUsages: client}); err != nil {
		t.Errorf("its own authority: %v", err)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots(t, dir, "ca.crt"), KeyUsages: client}); err == nil {
		t.Error("the cluster's authority vouches for the front proxy")
	}
}

func TestKubeconfigsNameTheirUsers(t *testing.T) {
	dir := write(t)
	tests := map[string]struct {
		user   string
		groups []string
	}{
		"admin":              {user: "kubernetes-admin", groups: []string{"system:masters"}},
		"kubelet":            {user: "system:node:node-1", groups: []string{"system:nodes"}},
		"controller-manager": {user: "system:kube-controller-manager"},
		"scheduler":          {user: "system:kube-scheduler"},
		"kube-proxy":         {user: "system:kube-proxy"},
	}
	for name, tc := range tests {
		text := read(t, dir, name+".kubeconfig")
		leaf := pair(t, field(t, text, "client-certificate-data"), field(t, text, "client-key-data"))
		if leaf.Subject.CommonName != tc.user || !slices.Equal(leaf.Subject.Organization, tc.groups) {
			t.Errorf("%s is %s in %v, want %s in %v", name, leaf.Subject.CommonName, leaf.Subject.Organization, tc.user, tc.groups)
		}
		if string(field(t, text, "certificate-authority-data")) != string(read(t, dir, "ca.crt")) {
			t.Errorf("%s trusts another authority", name)
		}
	}
}

func field(t *testing.T, text []byte, name string) []byte {
	t.Helper()
	found := regexp.MustCompile(name + `: (\S+)`).FindSubmatch(text)
	if found == nil {
		t.Fatalf("no %s in the kubeconfig", name)
	}
	value, err := base64.StdEncoding.DecodeString(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestKeysAreForTheirOwnerOnly(t *testing.T) {
	dir := write(t)
	for _, name := range []string{"ca.key", "sa.key", "apiserver.key", "admin.kubeconfig"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode().Perm())
		}
	}
}
