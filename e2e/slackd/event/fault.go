package event

// Fault is how the receiver misbehaves; the zero value is well-behaved.
type Fault struct {
	// Status is all of the answer, with Retry-After in seconds if that is set.
	Status     int `json:"status,omitempty"`
	RetryAfter int `json:"retryAfter,omitempty"`
	// Hang takes a request and never answers; HangUp ends its connection.
	Hang   bool `json:"hang,omitempty"`
	HangUp bool `json:"hangUp,omitempty"`
}
