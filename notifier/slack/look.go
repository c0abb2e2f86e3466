package slack

import "github.com/serin-dev/serin/notifier"

// emoji opens a message; it tells at a glance how a rollout goes or went.
func emoji(m notifier.Message) string {
	ended := m.Kind == notifier.Ended
	switch {
	case m.Severity == notifier.Error && ended:
		return ":x:"
	case m.Severity == notifier.Error:
		return ":rotating_light:"
	case m.Severity == notifier.Warning && ended:
		return ":leftwards_arrow_with_hook:"
	case m.Severity == notifier.Warning:
		return ":warning:"
	case ended:
		return ":white_check_mark:"
	case m.Kind == notifier.Notice:
		return ":information_source:"
	default:
		return ":hatching_chick:"
	}
}

// color is that of the bar beside a card.
func color(m notifier.Message) string {
	switch {
	case m.Severity == notifier.Error:
		return "#E01E5A"
	case m.Severity == notifier.Warning:
		return "#ECB22E"
	case m.Kind == notifier.Ended:
		return "#2EB67D"
	default:
		return "#36C5F0"
	}
}

// isFailure tells the end that nobody may miss.
func isFailure(m notifier.Message) bool {
	return m.Kind == notifier.Ended && m.Severity == notifier.Error
}
