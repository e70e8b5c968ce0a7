package flinkrest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// UploadJar stores a jar on the JobManager and returns its id.
func (c *Client) UploadJar(ctx context.Context, path string) (id string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {fmt.Sprintf(`form-data; name="jarfile"; filename=%q`, filepath.Base(path))},
		"Content-Type":        {"application/java-archive"}, // Flink refuses any other
	})
	if err != nil {
		return "", err
	}
	if _, err := io.Copy(part, file); err != nil {
		return "", fmt.Errorf("read jar: %w", err)
	}
	if err := form.Close(); err != nil {
		return "", err
	}
	var answer struct{ Filename string }
	if err := c.do(ctx, http.MethodPost, "/jars/upload", form.FormDataContentType(), bytes.NewReader(body.Bytes()), &answer); err != nil {
		return "", fmt.Errorf("upload %s: %w", filepath.Base(path), err)
	}
	return answer.Filename[strings.LastIndexByte(answer.Filename, '/')+1:], nil
}

// Run is how a jar's program is started.
type Run struct {
	EntryClass  string            `json:"entryClass,omitempty"`
	Args        []string          `json:"programArgsList,omitempty"`
	Parallelism int               `json:"parallelism,omitempty"` // Flink ignores parallelism.default here
	Config      map[string]string `json:"flinkConfiguration,omitempty"`
	JobID       string            `json:"jobId,omitempty"` // 32 hex digits; Flink chooses one if it is empty
}

// RunJar starts an uploaded jar and returns the id of its job.
func (c *Client) RunJar(ctx context.Context, jar string, run Run) (job string, err error) {
	body, err := json.Marshal(run)
	if err != nil {
		return "", err
	}
	var answer struct{ JobID string }
	err = c.do(ctx, http.MethodPost, "/jars/"+url.PathEscape(jar)+"/run", "application/json", bytes.NewReader(body), &answer)
	if refused, ok := errors.AsType[*Error](err); ok && refused.Cause != "" {
		// Flink only says "Could not execute application."; what the program's main method threw is the cause.
		return "", fmt.Errorf("run %s: %w (%s)", cmp.Or(run.EntryClass, jar), err, refused.Cause)
	}
	if err != nil {
		return "", fmt.Errorf("run %s: %w", cmp.Or(run.EntryClass, jar), err)
	}
	return answer.JobID, nil
}

// Jars returns the ids of the jars that are uploaded.
func (c *Client) Jars(ctx context.Context) (ids []string, err error) {
	var answer struct {
		Files []struct {
			ID string `json:"id"`
		} `json:"files"`
	}
	if err := c.get(ctx, "/jars", &answer); err != nil {
		return nil, err
	}
	for _, file := range answer.Files {
		ids = append(ids, file.ID)
	}
	return ids, nil
}

// DeleteJar removes an uploaded jar.
func (c *Client) DeleteJar(ctx context.Context, jar string) error {
	return c.do(ctx, http.MethodDelete, "/jars/"+url.PathEscape(jar), "", nil, nil)
}
