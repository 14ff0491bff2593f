package rapl

import (
	"time"

	"github.com/energyprof/energyprof/perfring"
)

type Books struct {
	Stamps, Polls, ZeroDeltas, Dropped int
	Switched                           string
}
type Recorder struct{}

func NewRecorder(src Source, interval time.Duration) *Recorder                        { return nil }
func (r *Recorder) OpenStamps(output func(cpu int) *perfring.Event) error             { return nil }
func (r *Recorder) StampEvents() []*perfring.Event                                    { return nil }
func (r *Recorder) Start() error                                                      { return nil }
func (r *Recorder) Stamp(s *perfring.Sample)                                          {}
func (r *Recorder) Throttled(id uint64, t int64)                                      {}
func (r *Recorder) Every() time.Duration                                              { return 0 }
func (r *Recorder) Poll() error                                                       { return nil }
func (r *Recorder) Take(watermark int64, f func(domain int, t int64, joules float64)) {}
func (r *Recorder) Stop() error                                                       { return nil }
func (r *Recorder) Books() Books                                                      { return Books{} }
