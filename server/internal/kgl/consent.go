package kgl

import "time"

// ConsentPurpose is what may be allowed of the items of a source.
type ConsentPurpose string

// The purposes.
const (
	PurposeAIProcessing ConsentPurpose = "ai_processing" // extraction, embedding, summaries
	PurposePublication  ConsentPurpose = "publication"
)

// Consent says whether the items of a source may be used for a purpose, since
// when, and who decided. Without a decision they may.
type Consent struct {
	Allowed   bool
	DecidedAt *time.Time // nil: the default
	DecidedBy string
}

// SourceConsents are the consents of a source.
type SourceConsents struct {
	AIProcessing Consent
	Publication  Consent
}

// DefaultConsents are those of a source that nobody decided about.
func DefaultConsents() SourceConsents {
	return SourceConsents{AIProcessing: Consent{Allowed: true}, Publication: Consent{Allowed: true}}
}

// For returns the consent for a purpose; nil for a purpose that there is not.
func (c *SourceConsents) For(p ConsentPurpose) *Consent {
	switch p {
	case PurposeAIProcessing:
		return &c.AIProcessing
	case PurposePublication:
		return &c.Publication
	}
	return nil
}
