// Command ai-module works for the backend as the AI module does: it leases
// tasks, finds entities and relationships in their texts, and hands the results
// in. Any number of it can run at once. The backend makes the tasks when it runs
// with KGL_EXTRACTOR=pull.
//
//	ai-module [-batch 8] [-lease 1m] [-once] [-think 0s]
//
// On Ctrl-C and SIGTERM it gives back what it has leased and not ended.
package main

import (
	"context"
	"flag"
	"log"
	"os/signal"
	"syscall"
	"time"

	"github.com/peermesh/kgl-backend/examples"
	"github.com/peermesh/kgl-backend/gen/client"
)

func main() {
	w := worker{}
	flag.IntVar(&w.batch, "batch", 8, "tasks to lease at once, up to 100")
	flag.DurationVar(&w.lease, "lease", time.Minute, "how long a lease lasts, 10s to 1h; it is extended while the model thinks")
	flag.BoolVar(&w.once, "once", false, "end when there is no work, instead of waiting for it")
	flag.DurationVar(&w.think, "think", 0, "how long the model thinks about an item")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var err error
	if w.kgl, err = examples.Login(ctx); err == nil {
		err = w.run(ctx)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// worker is the program with its settings.
type worker struct {
	kgl   *client.ClientWithResponses
	batch int
	lease time.Duration
	once  bool
	think time.Duration
}

// region loop

// run works until ctx ends. While the backend cannot be reached it tries again.
func (w *worker) run(ctx context.Context) error {
	for pause := time.Second; ctx.Err() == nil; {
		tasks, err := w.leaseTasks(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil && w.once:
			return err
		case err != nil:
			log.Print("no work for now: ", err)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
			pause = min(2*pause, time.Minute)
			continue
		case len(tasks) == 0 && w.once:
			return nil
		}
		pause = time.Second
		for _, task := range tasks {
			w.work(ctx, task) // gives it back where ctx has ended
		}
	}
	return nil
}

// leaseTasks waits for work: the backend answers as soon as there is some.
func (w *worker) leaseTasks(ctx context.Context) ([]client.WorkItem, error) {
	ask := client.WorkLease{Max: &w.batch, LeaseSeconds: examples.Ptr(int(w.lease / time.Second))}
	if !w.once {
		ask.WaitSeconds = examples.Ptr(25)
	}
	res, err := w.kgl.LeaseWorkWithResponse(ctx, ask)
	if err != nil {
		return nil, err
	}
	if res.JSON200 == nil { // 429 when this account holds 500 tasks already
		return nil, examples.Failed("lease work", res.StatusCode(), res.Body)
	}
	return res.JSON200.Data, nil
}

// endregion loop
