package enrich

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/enrich/aifake"
)

// TestAIModuleFailures holds each way to fail against what becomes of the task.
func TestAIModuleFailures(t *testing.T) {
	for name, c := range map[string]struct {
		step  aifake.Step
		blame Blame
		text  string
		word  string
	}{
		"busy":                {aifake.Busy(429, 7), BlameExtractor, "too much to do: Too Many Requests, there is", "busy"},
		"not ready":           {aifake.Busy(503, 7), BlameExtractor, "too much to do", "busy"},
		"internal":            {aifake.Status(500, "the model\nfailed"), BlameAttempt, "Internal Server Error, the model failed", "failed"},
		"gateway":             {aifake.Status(502, ""), BlameAttempt, "Bad Gateway", "failed"},
		"bad request":         {aifake.Status(400, "text is missing"), BlameItem, "text is missing", "rejected"},
		"too long":            {aifake.Status(413, "at most 10"), BlameItem, "at most 10", "rejected"},
		"unprocessable":       {aifake.Status(422, "no model for ja"), BlameItem, "no model for ja", "rejected"},
		"wrong token":         {aifake.Status(401, "no"), BlameExtractor, "KGL_AI_TOKEN", "refused"},
		"wrong URL":           {aifake.Status(404, "no"), BlameExtractor, "KGL_AI_URL", "refused"},
		"moved":               {aifake.Redirect("http://127.0.0.1:1/"), BlameExtractor, "KGL_AI_URL", "refused"},
		"no JSON":             {aifake.Raw("<html>"), BlameItem, "breaks the contract", "invalid"},
		"trailing garbage":    {aifake.Raw(`{"entities":[],"relationships":[]} {}`), BlameItem, "breaks the contract", "invalid"},
		"no entities":         {aifake.Raw(`{"relationships":[]}`), BlameItem, "entities: is missing", "invalid"},
		"wrong type":          {aifake.Raw(`{"entities":[{"name":7}],"relationships":[]}`), BlameItem, "breaks the contract", "invalid"},
		"confidence of 2":     {aifake.Raw(`{"entities":[{"name":"A","type":"b","confidence":2,"positions":[]}],"relationships":[]}`), BlameItem, "entities[0].confidence", "invalid"},
		"no confidence":       {aifake.Raw(`{"entities":[{"name":"A","type":"b","positions":[]}],"relationships":[]}`), BlameItem, "entities[0].confidence", "invalid"},
		"taken name":          {aifake.Raw(`{"entities":[],"relationships":[],"extractor":{"name":"builtin","version":"1"}}`), BlameItem, "extractor.name", "invalid"},
		"too large":           {aifake.Huge(MaxAIAnswer), BlameItem, "larger than 4 MiB", "invalid"},
		"broken off":          {aifake.Truncate(), BlameAttempt, "could not be read", "failed"},
		"reset":               {aifake.Reset(), BlameAttempt, "could not be read", "failed"},
		"failed job":          {aifake.FailedJob("out of memory", true), BlameAttempt, "out of memory", "failed"},
		"job failed for good": {aifake.FailedJob("no model", false), BlameItem, "no model", "rejected"},
		"nameless job":        {aifake.Raw(`x`), BlameItem, "breaks the contract", "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newAIWorld(t, AIConfig{})
			w.Script(aifake.Extract, c.step)
			w.wantFailure(c.blame, c.text)
			w.wantOutcome("extract " + c.word)
		})
	}
}

func TestAIModuleFailuresOfJobs(t *testing.T) {
	for name, c := range map[string]struct {
		poll  aifake.Step
		blame Blame
		text  string
	}{
		"forgotten":     {aifake.Status(404, "no such job"), BlameAttempt, "forgot the job"},
		"failing":       {aifake.Status(500, "oops"), BlameAttempt, "oops"},
		"of another":    {aifake.Raw(`{"job_id":"other","status":"running"}`), BlameItem, "job_id"},
		"without state": {aifake.Raw(`{"job_id":"job-1","status":"lost"}`), BlameItem, "status"},
		"no result":     {aifake.Raw(`{"job_id":"job-1","status":"succeeded"}`), BlameItem, "without the result"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newAIWorld(t, AIConfig{})
			w.Script(aifake.Extract, aifake.Job(0, 0))
			w.Script(aifake.GetJob, c.poll)
			w.wantFailure(c.blame, c.text)
		})
	}
}

func TestAIModuleTimesOut(t *testing.T) {
	w := newAIWorld(t, AIConfig{Timeout: 500 * time.Millisecond})
	if _, err := w.module.Extract(t.Context(), aiContent(sentence)); err != nil { // connects
		t.Fatal(err)
	}
	w.Script(aifake.Extract, aifake.Hang())
	w.wantFailure(BlameAttempt, "did not end in time")
	w.wantOutcome("extract timeout")
}

// A module that is down says nothing about the item, however it is down.
func TestAIModuleDown(t *testing.T) {
	w := newAIWorld(t, AIConfig{})
	w.Down()
	f := w.wantFailure(BlameExtractor, "cannot be reached")
	if f.Seen {
		t.Error("nobody has seen the item")
	}
	w.wantOutcome("extract unreachable")
}

func TestAIModuleStops(t *testing.T) {
	w := newAIWorld(t, AIConfig{})
	began := make(chan struct{})
	w.Script(aifake.Extract, aifake.Then(func() { close(began) }, aifake.Hang()))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := w.module.Extract(ctx, aiContent(sentence))
		done <- err
	}()
	<-began
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	w.wantOutcome("extract stopped")
}
