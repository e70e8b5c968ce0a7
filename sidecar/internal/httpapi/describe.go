package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/drey-flink/drey/sidecar/internal/evaluate"
	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

// described is a function as its callers see it.
type described struct {
	udf.Description
	Signature string `json:"signature"`
}

type functionList struct {
	Functions []described `json:"functions"`
	Default   string      `json:"default_function"`
}

// functionDetail adds how the function fares.
type functionDetail struct {
	described
	Status evaluate.FunctionStatus `json:"status"`
}

func describe(f *udf.Function) described {
	d := f.Describe()
	return described{Description: d, Signature: d.Signature()}
}

func (a *API) listFunctions(w http.ResponseWriter, _ *http.Request) {
	w.(*exchange).send(http.StatusOK, jsonHeader, a.functions)
}

func (a *API) getFunction(w http.ResponseWriter, r *http.Request) {
	x, name := w.(*exchange), chi.URLParam(r, "name")
	f, ok := a.Functions.Lookup(name)
	if !ok {
		detail := fmt.Sprintf("no function %q", clip(name))
		if near := a.Functions.Nearest(name); len(near) > 0 {
			detail += "; did you mean " + strings.Join(near, ", ") + "?"
		}
		a.fail(x, problem.New(problem.UnknownFunction, "%s GET /v1/functions lists them", detail), "")
		return
	}
	detail := functionDetail{described: describe(f)}
	for _, s := range a.Service.Status().Functions {
		if s.Name == name {
			detail.Status = s
		}
	}
	a.document(x, http.StatusOK, detail)
}

func (a *API) status(w http.ResponseWriter, _ *http.Request) {
	a.document(w.(*exchange), http.StatusOK, a.Status())
}

func (a *API) document(x *exchange, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		a.fail(x, fmt.Errorf("document: %w", err), "")
		return
	}
	x.Header()["Cache-Control"] = noStoreHeader
	x.send(status, jsonHeader, append(text, '\n'))
}

func (a *API) openAPI(w http.ResponseWriter, _ *http.Request) {
	w.(*exchange).send(http.StatusOK, []string{"application/yaml"}, openAPI)
}

var textHeader = []string{"text/plain; charset=utf-8"}

// healthz says that the process lives; nothing more, since whoever asks will kill it otherwise.
func (a *API) healthz(w http.ResponseWriter, _ *http.Request) {
	w.(*exchange).send(http.StatusOK, textHeader, []byte("ok\n"))
}

// readyz says whether to send calls: true from when everything is in place until the first signal, whatever happens to
// Flink, S3 or anything else outside.
func (a *API) readyz(w http.ResponseWriter, r *http.Request) {
	x := w.(*exchange)
	x.Header()["Cache-Control"] = noStoreHeader
	status, text := http.StatusOK, "ready\n"
	if !a.ready.Load() {
		status, text = http.StatusServiceUnavailable, "not ready: starting\n"
		if a.draining.Load() {
			text = "not ready: draining\n"
		}
	}
	if r.URL.Query().Has("verbose") {
		a.document(x, status, a.Status())
		return
	}
	x.send(status, textHeader, []byte(text))
}
