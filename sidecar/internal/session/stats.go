package session

// Stats is what a sidecar holds at a moment.
type Stats struct {
	Sessions int   `json:"sessions"`
	Pending  int   `json:"pending_barriers"` // whose snapshots are not in the store
	Keys     int64 `json:"keys"`
	Bytes    int64 `json:"bytes"` // of keys and values
	Answers  int64 `json:"answer_bytes"`
}

// Stats goes through the sessions. One that is coming back counts as empty.
func (m *Manager) Stats() Stats {
	var sum Stats
	for _, s := range m.all() {
		sum.Sessions++
		select {
		case <-s.recovered:
		default:
			continue
		}
		s.mu.RLock()
		state := s.parts.Stats()
		sum.Pending += len(s.barriers)
		s.mu.RUnlock()
		sum.Keys += state.Keys
		sum.Bytes += state.Bytes
		sum.Answers += state.AnswerBytes
	}
	return sum
}

// Spec says what a session is of, if it is known and was not taken over.
func (m *Manager) Spec(t Token) (spec Spec, restored uint64, ok bool) {
	m.mu.Lock()
	s := m.sessions[t.Fence]
	m.mu.Unlock()
	if s == nil || t.Instance != m.instance {
		return Spec{}, 0, false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.spec, s.from, true
}
