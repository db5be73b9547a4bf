package enrich

import (
	"fmt"
	"math"
	"regexp"
	"unicode/utf8"

	"github.com/peermesh/kgl-backend/gen/aiclient"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// The bounds of openapi/ai.yaml that answers are held to.
const (
	maxAnswerEntities      = 2000
	maxAnswerRelationships = 4000
	maxAnswerPositions     = 2000 // of one entity
	maxAnswerNames         = 100  // aliases or ids of one entity
	maxTypeRunes           = 40
	maxQuoteRunes          = 10_000
	maxDimensions          = 8192
)

var (
	extractorNamePattern    = regexp.MustCompile(`^[a-z][a-z0-9_.-]{0,39}$`)
	extractorVersionPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.+-]{0,19}$`)
	jobIDPattern            = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$`)
)

// rules collect the first breach of the contract.
type rules struct{ err error }

// must notes the breach unless ok.
func (r *rules) must(ok bool, field, format string, args ...any) {
	if !ok && r.err == nil {
		r.err = kgl.Invalid(field, format, args...)
	}
}

func (r *rules) text(field, text string, least, most int) {
	n := utf8.RuneCountInString(text)
	r.must(n >= least && n <= most, field, "must have %d to %d characters", least, most)
}

func (r *rules) optionalText(field string, text *string, most int) {
	if text != nil {
		r.text(field, *text, 0, most)
	}
}

func (r *rules) confidence(field string, v float64) {
	r.must(v > 0 && v <= 1, field, "must be above 0 and at most 1")
}

// checkAnswer reports the first breach of the contract. What the answer says
// about the text is not looked at.
func checkAnswer(a aiclient.Extraction) error {
	var r rules
	r.must(a.Entities != nil, "entities", "is missing")
	r.must(a.Relationships != nil, "relationships", "is missing")
	r.must(len(a.Entities) <= maxAnswerEntities, "entities", "must be at most %d", maxAnswerEntities)
	r.must(len(a.Relationships) <= maxAnswerRelationships, "relationships", "must be at most %d", maxAnswerRelationships)
	r.optionalText("model", a.Model, maxModel)
	r.optionalText("config_hash", a.ConfigHash, maxModel)
	if e := a.Extractor; e != nil {
		r.must(extractorNamePattern.MatchString(e.Name), "extractor.name", "must match %s", extractorNamePattern)
		r.must(extractorVersionPattern.MatchString(e.Version), "extractor.version", "must match %s", extractorVersionPattern)
		r.must(CheckOwner(kgl.LaneAI, e.Name) == nil, "extractor.name", "%s is taken", e.Name)
	}
	for i := range a.Entities {
		r.entity(fmt.Sprintf("entities[%d].", i), &a.Entities[i])
	}
	for i := range a.Relationships {
		r.relationship(fmt.Sprintf("relationships[%d].", i), &a.Relationships[i])
	}
	return r.err
}

func (r *rules) entity(at string, e *aiclient.Entity) {
	if r.err != nil {
		return
	}
	r.text(at+"name", e.Name, 1, maxNameRunes)
	r.text(at+"type", e.Type, 1, maxTypeRunes)
	r.confidence(at+"confidence", e.Confidence)
	if e.Salience != nil {
		r.must(*e.Salience >= 0 && *e.Salience <= 1, at+"salience", "must be from 0 to 1")
	}
	if e.Aliases != nil {
		r.must(len(*e.Aliases) <= maxAnswerNames, at+"aliases", "must be at most %d", maxAnswerNames)
		for _, alias := range *e.Aliases {
			r.text(at+"aliases", alias, 1, maxNameRunes)
		}
	}
	if e.ExternalIds != nil {
		r.must(len(*e.ExternalIds) <= maxAnswerNames, at+"external_ids", "must be at most %d", maxAnswerNames)
		for _, id := range *e.ExternalIds {
			r.must(externalScheme.MatchString(id.Scheme), at+"external_ids.scheme", "must match %s", externalScheme)
			r.text(at+"external_ids.value", id.Value, 1, maxNameRunes)
		}
	}
	r.must(len(e.Positions) <= maxAnswerPositions, at+"positions", "must be at most %d", maxAnswerPositions)
	for i := range e.Positions {
		r.position(at+"positions", &e.Positions[i])
	}
}

func (r *rules) position(field string, p *aiclient.Position) {
	r.must(p.Start >= 0 && p.End >= 1, field, "start must be at least 0 and end at least 1")
	r.optionalText(field+".quote", p.Quote, maxQuoteRunes)
}

func (r *rules) relationship(at string, e *aiclient.Relationship) {
	if r.err != nil {
		return
	}
	r.text(at+"from", e.From, 1, maxNameRunes)
	r.text(at+"to", e.To, 1, maxNameRunes)
	r.text(at+"type", e.Type, 1, maxTypeRunes)
	r.optionalText(at+"from_type", e.FromType, maxTypeRunes)
	r.optionalText(at+"to_type", e.ToType, maxTypeRunes)
	r.optionalText(at+"fact", e.Fact, maxFact)
	if e.Confidence != nil {
		r.confidence(at+"confidence", *e.Confidence)
	}
	for field, date := range map[string]*string{"valid_from": e.ValidFrom, "valid_to": e.ValidTo} {
		if date != nil {
			r.must(*date == "" || kgl.ValidPartialDate(*date), at+field, "must be YYYY, YYYY-MM or YYYY-MM-DD")
		}
	}
	if e.Evidence != nil {
		r.position(at+"evidence", e.Evidence)
	}
}

// checkEmbeddings reports whether there is one finite vector for each of n texts.
func checkEmbeddings(a aiclient.Embeddings, n int) error {
	var r rules
	r.text("model", a.Model, 1, maxModel)
	r.must(a.Dimensions >= 1 && a.Dimensions <= maxDimensions, "dimensions", "must be from 1 to %d", maxDimensions)
	r.must(len(a.Vectors) == n, "vectors", "are %d for %d texts", len(a.Vectors), n)
	for i, v := range a.Vectors {
		r.must(len(v) == a.Dimensions, fmt.Sprintf("vectors[%d]", i), "has %d numbers, not %d", len(v), a.Dimensions)
		for _, x := range v {
			if math.IsInf(float64(x), 0) || math.IsNaN(float64(x)) {
				r.must(false, fmt.Sprintf("vectors[%d]", i), "holds a number that is not finite")
			}
		}
	}
	return r.err
}

func checkSummary(a aiclient.Summary) error {
	var r rules
	r.text("summary", a.Summary, 1, 20_000)
	r.text("model", a.Model, 1, maxModel)
	return r.err
}

// checkJob reports whether a job is one that can be polled; id is what it was
// called before, empty for a new one.
func checkJob(job aiclient.Job, id string) error {
	var r rules
	r.must(jobIDPattern.MatchString(job.JobID), "job_id", "must match %s", jobIDPattern)
	r.must(id == "" || job.JobID == id, "job_id", "is that of another job")
	switch job.Status {
	case aiclient.JobStatusPending, aiclient.JobStatusRunning, aiclient.JobStatusSucceeded, aiclient.JobStatusFailed:
	default:
		r.must(false, "status", "is none of pending, running, succeeded and failed")
	}
	return r.err
}
