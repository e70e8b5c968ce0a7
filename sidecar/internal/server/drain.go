package server

import (
	"context"
	"sync"
	"syscall"
	"time"
)

// drain is the way down: say so, go on answering while load balancers notice, take no more, finish what runs. A second
// signal ends the patience.
func (s *sidecar) drain(why string) error {
	s.state.Store("draining")
	s.api.Drain()
	if s.watch != nil {
		s.watch.end()
	}
	if s.grpc != nil {
		s.grpc.SetReady(false)
	}
	s.metrics.Draining()
	s.log.Info("draining", "why", why, "delay", s.Config.Drain.Delay.String(), "timeout", s.Config.Drain.Timeout.String())

	patience, forced := context.WithCancel(context.Background())
	defer forced()
	listening := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(listening)
		for {
			select {
			case sig := <-s.Signals:
				if sig != syscall.SIGHUP {
					s.log.Warn("second signal, ending now", "signal", sig.String())
					forced()
					return
				}
			case <-stop:
				return
			}
		}
	}()
	defer func() {
		close(stop)
		<-listening
	}()

	delay := time.NewTimer(s.Config.Drain.Delay)
	defer delay.Stop()
	select {
	case <-delay.C:
	case <-patience.Done():
	}
	if s.service != nil {
		s.service.Drain() // what still comes over connections that are open
	}
	finishing, cancel := context.WithTimeout(patience, s.Config.Drain.Timeout)
	defer cancel()
	if s.finish(finishing) {
		s.log.Info("ended, every call was answered")
		return nil
	}
	if s.service == nil {
		return nil
	}
	if now := s.service.Status(); now.InFlight+now.Queued == 0 {
		return nil // only connections without a call were cut
	}
	return ErrCut
}

// finish closes the data listeners and waits until every call in flight has been answered, or the context ends.
func (s *sidecar) finish(ctx context.Context) bool {
	var wg sync.WaitGroup
	all := true
	var mu sync.Mutex
	for _, t := range s.servers {
		if t.section == "admin" {
			continue // answers to the end
		}
		wg.Go(func() {
			done := t.finish(ctx)
			mu.Lock()
			defer mu.Unlock()
			all = all && done
		})
	}
	wg.Wait()
	return all
}
