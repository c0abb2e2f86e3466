package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// SignatureHeader carries the signature of a body.
const SignatureHeader = "Serin-Signature"

// Sign returns the header's value: t=<seconds since 1970>,v1=<HMAC-SHA256 of "t.body" in hex>. A receiver
// that refuses what is too old cannot be fooled by a repetition.
func Sign(key string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = fmt.Fprintf(mac, "%d.%s", at.Unix(), body)
	return fmt.Sprintf("t=%d,v1=%s", at.Unix(), hex.EncodeToString(mac.Sum(nil)))
}
