package pki

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"os"
	"regexp"
)

// kubeconfigText has one cluster, one user and the context that joins them. The
// certificates are inside, so the file can be copied anywhere.
const kubeconfigText = `apiVersion: v1
kind: Config
current-context: serin
contexts:
- name: serin
  context: {cluster: serin, user: serin}
clusters:
- name: serin
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: serin
  user:
    client-certificate-data: %s
    client-key-data: %s
`

func kubeconfig(server string, ca *x509.Certificate, user issued) ([]byte, error) {
	key, err := keyPEM(user.key)
	if err != nil {
		return nil, err
	}
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, kubeconfigText, server, b64(certPEM(ca)), b64(certPEM(user.cert)), b64(key)), nil
}

var serverLine = regexp.MustCompile(`(?m)^\s*server: (\S+)$`)

// Server is the URL in a kubeconfig that Write made.
func Server(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	found := serverLine.FindSubmatch(text)
	if found == nil {
		return "", fmt.Errorf("no server in kubeconfig %s", file)
	}
	return string(found[1]), nil
}
