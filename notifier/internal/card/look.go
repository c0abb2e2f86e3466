package card

import "github.com/serin-dev/serin/notifier"

// Look is how a rollout goes or went, at a glance.
type Look int

const (
	Running Look = iota
	Note
	Promoted
	Warning
	Stopped // ended with a warning: superseded, reverted
	Alarm
	Failed
)

// LookOf tells the look of a message.
func LookOf(m notifier.Message) Look {
	ended := m.Kind == notifier.Ended
	switch {
	case m.Severity == notifier.Error && ended:
		return Failed
	case m.Severity == notifier.Error:
		return Alarm
	case m.Severity == notifier.Warning && ended:
		return Stopped
	case m.Severity == notifier.Warning:
		return Warning
	case ended:
		return Promoted
	case m.Kind == notifier.Notice:
		return Note
	default:
		return Running
	}
}

// Emoji opens a message.
func (l Look) Emoji() string {
	return map[Look]string{
		Running: "🐤", Note: "ℹ️", Promoted: "✅", Warning: "⚠️", Stopped: "↩️", Alarm: "🚨", Failed: "❌",
	}[l]
}

// Color is that of the bar beside a card, as red, green and blue.
func (l Look) Color() int {
	switch l {
	case Failed, Alarm:
		return 0xE01E5A
	case Warning, Stopped:
		return 0xECB22E
	case Promoted:
		return 0x2EB67D
	default:
		return 0x36C5F0
	}
}
