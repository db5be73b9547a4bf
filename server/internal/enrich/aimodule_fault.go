package enrich

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/peermesh/kgl-backend/gen/aiclient"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
)

// The words for how a piece of work ended, in metrics.
const (
	wordOK          = "ok"
	wordBusy        = "busy"        // 429 and 503: the module did not take it
	wordUnreachable = "unreachable" // no connection
	wordTimeout     = "timeout"
	wordFailed      = "failed"   // 5xx, a failed job, or an answer that broke off
	wordRefused     = "refused"  // the module does not serve us: wrong URL or token
	wordRejected    = "rejected" // the module cannot work on this text
	wordInvalid     = "invalid"  // the answer breaks the contract
	wordHeldBack    = "held_back"
	wordStopped     = "stopped"  // by us
	wordWithheld    = "withheld" // the source does not allow it
)

// maxDetail is how much of what the module says about an error is kept, in code
// points.
const maxDetail = 200

var errTooLarge = errors.New("it is larger than 4 MiB")

// fault is how a piece of work failed.
type fault struct {
	word   string
	blame  Blame
	seen   bool          // as in Failure
	pause  time.Duration // for which the module asks to be left alone
	health error         // what the breaker is told
	load   load          // what the limiter is told
	err    *kgl.Error
}

// Error implements error.
func (f *fault) Error() string { return f.err.Error() }

// end returns the fault in the terms of callers.
func (f *fault) end() (word string, _ error) {
	if f.blame == BlameExtractor && f.err.RetryAfter == 0 {
		f.err.RetryAfter = f.pause
	}
	return f.word, &Failure{Blame: f.blame, Seen: f.seen, Err: f.err}
}

// heldBack is the fault of work that was not sent because others failed.
func heldBack(wait time.Duration) *fault {
	err := kgl.Errorf(kgl.CodeUnavailable, "the AI module does not answer, its work waits")
	err.RetryAfter = wait
	return &fault{word: wordHeldBack, blame: BlameExtractor, health: errNeutral, err: err}
}

// noPlace is the fault of work that was not sent for all the other work.
func noPlace() *fault {
	return &fault{word: wordBusy, blame: BlameExtractor, health: errNeutral, pause: busyPause,
		err: kgl.Errorf(kgl.CodeUnavailable, "the AI module has too much to do")}
}

// withheld is the fault of work that was not sent because its source does not
// allow it, or because nobody knows for the error.
func withheld(err error) *fault {
	f := &fault{word: wordWithheld, blame: BlameExtractor, health: errNeutral,
		err: kgl.Errorf(kgl.CodeConsentDenied, "the source does not allow processing by the AI module")}
	if err != nil {
		f.err = kgl.Wrap(err, kgl.CodeUnavailable, "the consent of the source could not be read")
	}
	return f
}

// violation is the fault of an answer that breaks the contract. Another answer to
// the same text would do the same, and so would one to any text when the URL
// leads to something else: the breaker counts it.
func violation(err error) *fault {
	if f, ok := errors.AsType[*fault](err); ok {
		return f
	}
	return &fault{word: wordInvalid, blame: BlameItem, health: err,
		err: kgl.Wrap(err, kgl.CodeFetchFailed, "the answer of the AI module breaks the contract")}
}

// transportFault is the fault of work without an answer.
func transportFault(err error) *fault {
	f := &fault{word: wordFailed, blame: BlameAttempt, seen: true, health: err}
	switch outbound.ReasonOf(err) {
	case outbound.ReasonBlocked, outbound.ReasonDNS, outbound.ReasonUnreachable, outbound.ReasonTLS:
		f.word, f.blame, f.seen = wordUnreachable, BlameExtractor, false
		f.err = kgl.Wrap(err, kgl.CodeUnavailable, "the AI module cannot be reached")
	case outbound.ReasonTimeout:
		return overdue(err)
	case outbound.ReasonCanceled:
		f.health = errNeutral
		f.err = kgl.Wrap(err, kgl.CodeUnavailable, "the work of the AI module was stopped")
	case outbound.ReasonTooLarge:
		return violation(errTooLarge)
	default:
		f.err = kgl.Wrap(err, kgl.CodeFetchFailed, "the answer of the AI module could not be read")
	}
	return f
}

// overdue is the fault of work that did not end in time.
func overdue(err error) *fault {
	f := &fault{word: wordTimeout, blame: BlameAttempt, seen: true, health: err, load: loadTooMuch,
		err: kgl.Wrap(err, kgl.CodeTimeout, "the AI module did not end in time")}
	if errors.Is(err, context.Canceled) {
		f.health, f.load = errNeutral, loadUnknown
	}
	return f
}

// statusFault is the fault of an answer with another status than 200 and 202;
// after is its Retry-After, 0 when it has none.
func statusFault(status int, after time.Duration, body []byte) *fault {
	said := detail(status, body)
	switch status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if after <= 0 {
			after = busyPause
		}
		return &fault{word: wordBusy, blame: BlameExtractor, seen: status == http.StatusServiceUnavailable,
			pause: after, health: errNeutral, load: loadTooMuch,
			err: kgl.Errorf(kgl.CodeUnavailable, "the AI module has too much to do: %s", said)}
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed:
		return refusal(said)
	}
	switch {
	case status >= 500:
		err := kgl.Errorf(kgl.CodeFetchFailed, "the AI module failed: %s", said)
		return &fault{word: wordFailed, blame: BlameAttempt, seen: true, health: err, err: err}
	case status >= 400:
		err := kgl.Errorf(kgl.CodeFetchFailed, "the AI module rejects the text: %s", said)
		f := &fault{word: wordRejected, blame: BlameItem, err: err}
		if status == http.StatusBadRequest { // what is sent is valid, so the two do not speak the same contract
			f.health = err
		}
		return f
	}
	return refusal(said)
}

// refusal is the fault of a module that serves nobody at this URL with this
// token: every item would get the same answer until the operator changes that.
func refusal(said string) *fault {
	err := kgl.Errorf(kgl.CodeUnavailable, "the AI module refuses the work, see KGL_AI_URL and KGL_AI_TOKEN: %s", said)
	return &fault{word: wordRefused, blame: BlameExtractor, pause: breakMin, health: err, err: err}
}

// jobFault is the fault of a job that failed.
func jobFault(e *aiclient.JobError) *fault {
	said, final := "it does not say why", false
	if e != nil {
		said, final = plain(e.Detail), e.Retriable != nil && !*e.Retriable
	}
	f := &fault{word: wordFailed, blame: BlameAttempt, seen: true,
		err: kgl.Errorf(kgl.CodeFetchFailed, "the job of the AI module failed: %s", said)}
	if final {
		f.word, f.blame = wordRejected, BlameItem
	} else {
		f.health = f.err
	}
	return f
}

// pollFault is the fault of a job that could not be asked for.
func pollFault(f *fault, resp *http.Response) *fault {
	if resp == nil || resp.StatusCode != http.StatusNotFound {
		return f
	}
	return &fault{word: wordFailed, blame: BlameAttempt, seen: true, health: errNeutral,
		err: kgl.Errorf(kgl.CodeFetchFailed, "the AI module forgot the job")}
}

// detail returns the status and what a problem document says about it.
func detail(status int, body []byte) string {
	text := http.StatusText(status)
	if text == "" {
		text = "an unknown status"
	}
	var problem struct {
		Detail any `json:"detail"`
	}
	if json.Unmarshal(body, &problem) == nil {
		if said, ok := problem.Detail.(string); ok && said != "" {
			return text + ", " + plain(said)
		}
	}
	return text
}

// plain returns a text of the module on one line and of bounded length.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, text)
	return clip(strings.Join(strings.Fields(text), " "), maxDetail)
}
