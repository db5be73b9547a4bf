package config

import "time"

// Enrich configures who finds entities and relationships in the items.
type Enrich struct {
	Extractor     Extractor     `env:"KGL_EXTRACTOR" envDefault:"builtin"`
	AIURL         BaseURL       `env:"KGL_AI_URL" envDefault:"http://127.0.0.1:8001"`
	AIToken       Secret        `env:"KGL_AI_TOKEN" secret:"true"`
	AITimeout     time.Duration `env:"KGL_AI_TIMEOUT" envDefault:"2m"`
	AIConcurrency int           `env:"KGL_AI_CONCURRENCY" envDefault:"100"`
}

// Extractor says who finds entities and relationships.
type Extractor string

// The extractors.
const (
	ExtractorBuiltin Extractor = "builtin" // rules and lists inside of the server
	ExtractorMock    Extractor = "mock"    // made-up results that are the same each time
	ExtractorPush    Extractor = "push"    // the AI module, which the server calls
	ExtractorPull    Extractor = "pull"    // the AI module, which comes for the work
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (e *Extractor) UnmarshalText(text []byte) (err error) {
	*e, err = choice(text, ExtractorBuiltin, ExtractorMock, ExtractorPush, ExtractorPull)
	return err
}

func (c *Config) checkEnrich(report reporter) {
	report.duration("KGL_AI_TIMEOUT", c.Enrich.AITimeout, time.Second, time.Hour)
	report.number("KGL_AI_CONCURRENCY", c.Enrich.AIConcurrency, 1, 1000)
}
