package statestore

import "context"

// turns let transactions on one key group run one after another, once they got in each other's way.
type turns struct {
	token   chan struct{} // holds one thing while nobody's turn it is; nil until it is needed
	waiting int           // those who have a turn or wait for one
}

// Turn waits until it is the caller's turn on a key group, and returns what ends it. Nobody is obliged to take turns, but a
// transaction that had a conflict and does not may never get through. Contended tells the others.
func (p *Partitions) Turn(ctx context.Context, keyGroup uint16) (end func(), err error) {
	g, err := p.group(keyGroup)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	if g.turns.token == nil {
		g.turns.token = make(chan struct{}, 1)
		g.turns.token <- struct{}{}
	}
	g.turns.waiting++
	token := g.turns.token
	g.mu.Unlock()
	leave := func() {
		g.mu.Lock()
		g.turns.waiting--
		g.mu.Unlock()
	}
	select {
	case <-token:
		return func() {
			leave()
			token <- struct{}{}
		}, nil
	case <-ctx.Done():
		leave()
		return nil, context.Cause(ctx)
	}
}

// Contended says whether transactions take turns on a key group.
func (p *Partitions) Contended(keyGroup uint16) bool {
	g, err := p.group(keyGroup)
	if err != nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.turns.waiting > 0
}
