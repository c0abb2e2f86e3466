package suite

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os"
)

// own are the scenes' changes to podinfo of the samples. It keeps idle connections for as long as Envoy does,
// an hour: its own minute ends one now and then under a request that Envoy has just sent, which is nobody's
// failure but theirs. And it speaks HTTP/2 to users of its Service, over TLS: at its end it cuts connections of
// HTTP/2 without TLS off, with requests on them. The certificate is in annotations, from where it becomes a file
// without a Secret that Serin would follow.
func (s *scene) own() []string {
	s.Helper()
	crt, key := s.certificate()
	return []string{
		"        - --level=info\n", "        - --level=info\n        - --http-server-timeout=30m\n" +
			"        - --secure-port=9899\n        - --cert-path=/tls\n        volumeMounts: [{name: tls, mountPath: /tls}]\n",
		"    spec:\n      auto", fmt.Sprintf("        tls.crt: %q\n        tls.key: %q\n    spec:\n%s      auto", crt, key, tlsVolume),
		"    targetPort: http\n", "    targetPort: http\n  - name: https\n    port: 9899\n    targetPort: 9899\n",
	}
}

const tlsVolume = `      volumes:
      - name: tls
        downwardAPI:
          items:
          - {path: tls.crt, fieldRef: {fieldPath: "metadata.annotations['tls.crt']"}}
          - {path: tls.key, fieldRef: {fieldPath: "metadata.annotations['tls.key']"}}
`

// certificate is one that nobody looks at.
func (s *scene) certificate() (crt, key []byte) {
	s.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	der, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	s.must(err)
	crt = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return crt, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// applyPodinfo applies the sample with some of its text replaced.
func (s *scene) applyPodinfo(replacements ...string) {
	s.Helper()
	replacements = append(s.own(), replacements...)
	text, err := os.ReadFile(s.Path("deploy", "samples", "podinfo.yaml"))
	s.must(err)
	for i := 0; i < len(replacements); i += 2 {
		if !bytes.Contains(text, []byte(replacements[i])) {
			s.Fatalf("the sample has no %q", replacements[i])
		}
		text = bytes.Replace(text, []byte(replacements[i]), []byte(replacements[i+1]), 1)
	}
	s.apply(string(text))
}
