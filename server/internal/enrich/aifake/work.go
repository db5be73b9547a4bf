package aifake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/peermesh/kgl-backend/gen/aiserver"
)

// work implements the operations of the stub. Attempts at the same work, by
// their Idempotency-Key, get the same job, unless it failed.
type work struct {
	mu   sync.Mutex
	jobs map[string]*job
	keys map[string]string // Idempotency-Key to job
}

type job struct {
	order  jobOrder
	result aiserver.Job
}

func newWork() *work { return &work{jobs: map[string]*job{}, keys: map[string]string{}} }

// later returns the job that ctx asks for, nil when it asks for none.
func (w *work) later(ctx context.Context, key *string, fill func(*aiserver.Job)) *aiserver.AcceptedJSONResponse {
	order, ok := ctx.Value(jobKey{}).(jobOrder)
	if !ok {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	id := fmt.Sprintf("job-%d", len(w.jobs)+1)
	if key != nil {
		if known, found := w.keys[*key]; found && w.jobs[known].order.failed == nil {
			id = known
		}
		w.keys[*key] = id
	}
	if w.jobs[id] == nil {
		j := &job{order: order, result: aiserver.Job{JobID: id, Status: aiserver.JobStatusSucceeded}}
		if order.failed != nil {
			j.result.Status, j.result.Error = aiserver.JobStatusFailed, order.failed
		} else {
			fill(&j.result)
		}
		w.jobs[id] = j
	}
	location := "/api/jobs/" + id
	accepted := aiserver.AcceptedJSONResponse{Body: aiserver.Job{JobID: id, Status: aiserver.JobStatusPending}}
	accepted.Headers.Location, accepted.Headers.RetryAfter = &location, seconds(order.after)
	return &accepted
}

func seconds(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}

// GetJob implements aiserver.StrictServerInterface.
func (w *work) GetJob(_ context.Context, r aiserver.GetJobRequestObject) (aiserver.GetJobResponseObject, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	j := w.jobs[r.JobID]
	if j == nil {
		return aiserver.GetJob404ApplicationProblemPlusJSONResponse{NotFoundApplicationProblemPlusJSONResponse: aiserver.NotFoundApplicationProblemPlusJSONResponse{Title: "Not Found", Status: 404}}, nil
	}
	answer := aiserver.GetJob200JSONResponse{Body: j.result}
	if j.order.polls > 0 {
		j.order.polls--
		answer.Body = aiserver.Job{JobID: r.JobID, Status: aiserver.JobStatusRunning}
		answer.Headers.RetryAfter = seconds(j.order.after)
	}
	return answer, nil
}

// GetHealth implements aiserver.StrictServerInterface.
func (w *work) GetHealth(context.Context, aiserver.GetHealthRequestObject) (aiserver.GetHealthResponseObject, error) {
	return aiserver.GetHealth200JSONResponse{Status: "ok"}, nil
}

// Extract implements aiserver.StrictServerInterface.
func (w *work) Extract(ctx context.Context, r aiserver.ExtractRequestObject) (aiserver.ExtractResponseObject, error) {
	extract, ok := ctx.Value(answerKey{}).(func(aiserver.ExtractRequest) aiserver.Extraction)
	if !ok {
		extract = Capitalized
	}
	found := extract(*r.Body)
	if accepted := w.later(ctx, r.Params.IdempotencyKey, func(j *aiserver.Job) { j.Extraction = &found }); accepted != nil {
		return aiserver.Extract202JSONResponse{AcceptedJSONResponse: *accepted}, nil
	}
	return aiserver.Extract200JSONResponse(found), nil
}

// Embed implements aiserver.StrictServerInterface: vectors of 384 numbers that
// only depend on the text.
func (w *work) Embed(ctx context.Context, r aiserver.EmbedRequestObject) (aiserver.EmbedResponseObject, error) {
	texts := []string{}
	if r.Body.Text != nil {
		texts = append(texts, *r.Body.Text)
	}
	if r.Body.Texts != nil {
		texts = append(texts, *r.Body.Texts...)
	}
	found := aiserver.Embeddings{Model: "fake-384", Dimensions: 384}
	for _, text := range texts {
		found.Vectors = append(found.Vectors, vector(text, found.Dimensions))
	}
	if accepted := w.later(ctx, r.Params.IdempotencyKey, func(j *aiserver.Job) { j.Embeddings = &found }); accepted != nil {
		return aiserver.Embed202JSONResponse{AcceptedJSONResponse: *accepted}, nil
	}
	return aiserver.Embed200JSONResponse(found), nil
}

// Summarize implements aiserver.StrictServerInterface: the first sentence.
func (w *work) Summarize(ctx context.Context, r aiserver.SummarizeRequestObject) (aiserver.SummarizeResponseObject, error) {
	first, _, _ := strings.Cut(r.Body.Text, ". ")
	found := aiserver.Summary{Summary: first, Model: "fake"}
	if accepted := w.later(ctx, r.Params.IdempotencyKey, func(j *aiserver.Job) { j.Summary = &found }); accepted != nil {
		return aiserver.Summarize202JSONResponse{AcceptedJSONResponse: *accepted}, nil
	}
	return aiserver.Summarize200JSONResponse(found), nil
}

var capitalized = regexp.MustCompile(`\p{Lu}[\p{L}\p{N}]+(?: \p{Lu}[\p{L}\p{N}]+)*`)

// Capitalized finds each run of capitalized words and relates the first one to
// all others.
func Capitalized(r aiserver.ExtractRequest) aiserver.Extraction {
	model, hash := "capitals", "0"
	found := aiserver.Extraction{
		Entities: []aiserver.Entity{}, Relationships: []aiserver.Relationship{},
		Extractor: &aiserver.Extractor{Name: "fake-ner", Version: "1.0"}, Model: &model, ConfigHash: &hash,
	}
	index := map[string]int{}
	for _, at := range capitalized.FindAllStringIndex(r.Text, -1) {
		name := r.Text[at[0]:at[1]]
		start := int64(utf8.RuneCountInString(r.Text[:at[0]]))
		i, known := index[name]
		if !known {
			i = len(found.Entities)
			index[name] = i
			found.Entities = append(found.Entities, aiserver.Entity{Name: name, Type: "concept", Confidence: 0.6})
		}
		found.Entities[i].Positions = append(found.Entities[i].Positions, aiserver.Position{
			Start: start, End: start + int64(utf8.RuneCountInString(name)), Quote: &name,
		})
	}
	for i := range found.Entities {
		if i > 0 {
			found.Relationships = append(found.Relationships, aiserver.Relationship{From: found.Entities[0].Name, To: found.Entities[i].Name, Type: "named_with"})
		}
	}
	return found
}

func vector(text string, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		h := fnv.New32a()
		_, _ = fmt.Fprintf(h, "%d %s", i, text)
		v[i] = float32(h.Sum32())/math.MaxUint32*2 - 1
	}
	return v
}

// checkEmbed reports what the schema of an embed request cannot say.
func checkEmbed(operation string, body []byte) error {
	if operation != Embed {
		return nil
	}
	var r aiserver.EmbedRequest
	if err := json.Unmarshal(body, &r); err != nil {
		return err
	}
	if (r.Text == nil) == (r.Texts == nil) {
		return errors.New("give either text or texts")
	}
	return nil
}
