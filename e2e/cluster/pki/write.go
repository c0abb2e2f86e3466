package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
)

// Cluster is what the certificates must know.
type Cluster struct {
	// Server is the URL in the kubeconfigs.
	Server string
	// Hosts are the further names and addresses of the API server.
	Hosts []string
	// Node is the name of the node, and NodeIP its address.
	Node, NodeIP string
}

// serviceNames are how pods know the API server.
var serviceNames = []string{
	"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
	"localhost", "127.0.0.1",
}

// Write fills dir: NAME.crt and NAME.key for everybody, NAME.kubeconfig for the
// clients, sa.key and sa.pub for service account tokens.
func Write(dir string, c Cluster) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	ca, err := newAuthority("kubernetes-ca")
	if err != nil {
		return err
	}
	// The API server trusts whoever holds a certificate of the front proxy's
	// authority to speak for any user: it must not be the general one.
	front, err := newAuthority("front-proxy-ca")
	if err != nil {
		return err
	}
	for name, a := range map[string]authority{"ca": ca, "front-proxy-ca": front} {
		if err := writePair(dir, name, issued(a)); err != nil {
			return err
		}
	}
	if err := writeServers(dir, c, ca, front); err != nil {
		return err
	}
	if err := writeClients(dir, c, ca); err != nil {
		return err
	}
	return writeTokenKeys(dir)
}

func writeServers(dir string, c Cluster, ca, front authority) error {
	apiHosts := append(append(append([]string{}, serviceNames...), c.NodeIP), c.Hosts...)
	for _, cert := range []struct {
		file string
		by   authority
		subject
	}{
		{"apiserver", ca, subject{name: "kube-apiserver", hosts: apiHosts}},
		{"kubelet-server", ca, subject{name: c.Node, hosts: []string{c.Node, c.NodeIP, "localhost", "127.0.0.1"}}},
		{"apiserver-kubelet-client", ca, subject{name: "kube-apiserver-kubelet-client", groups: []string{"system:masters"}}},
		{"front-proxy-client", front, subject{name: "front-proxy-client"}},
	} {
		made, err := cert.by.issue(cert.subject)
		if err != nil {
			return err
		}
		if err := writePair(dir, cert.file, made); err != nil {
			return err
		}
	}
	return nil
}

func writeClients(dir string, c Cluster, ca authority) error {
	clients := map[string]subject{
		"admin":              {name: "kubernetes-admin", groups: []string{"system:masters"}},
		"controller-manager": {name: "system:kube-controller-manager"},
		"scheduler":          {name: "system:kube-scheduler"},
		"kube-proxy":         {name: "system:kube-proxy"},
		"kubelet":            {name: "system:node:" + c.Node, groups: []string{"system:nodes"}},
	}
	for file, who := range clients {
		made, err := ca.issue(who)
		if err != nil {
			return err
		}
		if err := writePair(dir, file, made); err != nil {
			return err
		}
		text, err := kubeconfig(c.Server, ca.cert, made)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, file+".kubeconfig"), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// writeTokenKeys makes the pair that signs and checks service account tokens.
func writeTokenKeys(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	private, err := keyPEM(key)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	if err := os.WriteFile(filepath.Join(dir, "sa.key"), private, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "sa.pub"), public, 0o600)
}

func writePair(dir, name string, pair issued) error {
	key, err := keyPEM(pair.key)
	if err != nil {
		return fmt.Errorf("key of %s: %w", name, err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".key"), key, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".crt"), certPEM(pair.cert), 0o600)
}

func certPEM(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
