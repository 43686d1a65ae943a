package kube_test

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const jobText = `apiVersion: batch/v1
kind: Job
metadata: {name: migrate, namespace: jobs}
spec:
  ttlSecondsAfterFinished: 5
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: "none:1", env: [{name: PASSWORD, value: hunter2}]}]
`

// status plays the Job controller.
func (s *site) status(set func(*batchv1.JobStatus)) {
	s.t.Helper()
	jobs := s.api.client.BatchV1().Jobs("jobs")
	var job *batchv1.Job
	eventually(s.t, "the Job", func() (ok bool) {
		var err error
		job, err = jobs.Get(s.t.Context(), "migrate", metav1.GetOptions{})
		return err == nil
	})
	set(&job.Status)
	if _, err := jobs.UpdateStatus(s.t.Context(), job, metav1.UpdateOptions{FieldManager: "kube-controller-manager"}); err != nil {
		s.t.Fatal(err)
	}
}

func ends(typ batchv1.JobConditionType, reason, message string) func(*batchv1.JobStatus) {
	return func(st *batchv1.JobStatus) {
		now := metav1.Now()
		if st.StartTime == nil {
			st.StartTime = &now
		}
		st.Active, st.UncountedTerminatedPods = 0, &batchv1.UncountedTerminatedPods{}
		before := batchv1.JobFailureTarget
		if typ == batchv1.JobComplete {
			before, st.CompletionTime, st.Succeeded = batchv1.JobSuccessCriteriaMet, &now, 1
		}
		for _, t := range []batchv1.JobConditionType{before, typ} {
			st.Conditions = append(st.Conditions, batchv1.JobCondition{Type: t, Status: corev1.ConditionTrue, Reason: reason, Message: message, LastTransitionTime: now})
		}
	}
}

func runs(st *batchv1.JobStatus) {
	now := metav1.Now()
	st.StartTime, st.Active = &now, 1
}

// vanish plays the controller that removes finished Jobs.
func (s *site) vanish() {
	s.t.Helper()
	background := metav1.DeletePropagationBackground
	if err := s.api.client.BatchV1().Jobs("jobs").Delete(s.t.Context(), "migrate", metav1.DeleteOptions{PropagationPolicy: &background}); err != nil && !apierrors.IsNotFound(err) {
		s.t.Fatal(err)
	}
}

// A Job is done when it is complete, and does not run again when it has removed itself.
func TestIntegrationJobRunsOnce(t *testing.T) {
	s := newSite(t, "jobs")
	namespace(t, s.api.client, "jobs")
	const addr = `manifest.m/kube.object["Job.batch/jobs/migrate"]`
	defer s.vanish()
	s.manifest("m", jobText)
	done := applying(t, s.p, s.s, s.plan()[addr])
	s.status(runs)
	eventually(t, "progress of the Job", func() bool { return s.s.said("it runs: 1 active") })
	s.status(ends(batchv1.JobComplete, "CompletionsReached", "Reached expected number of succeeded pods"))
	ended(t, done)
	s.settled()
	s.vanish()
	s.settled()
	cm, err := s.api.client.CoreV1().ConfigMaps("kube-system").Get(t.Context(), "cxha-inventory", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	record := cm.Data["_ran.Job.jobs.migrate"]
	if record == "" || strings.Contains(record, "hunter2") {
		t.Errorf("record %q in %v, want a digest", record, cm.Data)
	}

	// Another content is another run; a Job that goes before its end was seen has told it all the same.
	s.manifest("m", strings.Replace(jobText, "none:1", "none:2", 1))
	if got, want := s.plan().actions(), "create "+addr; got != want {
		t.Errorf("plan %q, want %q", got, want)
	}
	done = applying(t, s.p, s.s, s.plan()[addr])
	s.status(ends(batchv1.JobComplete, "CompletionsReached", "Reached expected number of succeeded pods"))
	s.vanish()
	ended(t, done)
	s.settled()

	// One that somebody deletes while it runs is not done.
	s.manifest("m", strings.Replace(jobText, "none:1", "none:3", 1))
	done = applying(t, s.p, s.s, s.plan()[addr])
	s.status(runs)
	s.vanish()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "somebody deleted it before it ended") {
		t.Errorf("error %v", err)
	}
}

func TestIntegrationJobThatFails(t *testing.T) {
	s := newSite(t, "failing")
	namespace(t, s.api.client, "jobs")
	const addr = `manifest.m/kube.object["Job.batch/jobs/migrate"]`
	defer s.vanish()
	s.manifest("m", strings.Replace(jobText, "  ttlSecondsAfterFinished: 5\n", "", 1))
	done := applying(t, s.p, s.s, s.plan()[addr])
	s.status(ends(batchv1.JobFailed, "BackoffLimitExceeded", "Job has reached the specified backoff limit"))
	if err := <-done; err == nil || !strings.Contains(err.Error(), "Job jobs/migrate: failed: BackoffLimitExceeded: Job has reached the specified backoff limit") {
		t.Errorf("error %v, want the reason", err)
	}
	s.plan() // which still waits for it
	if notes := s.notes[addr]; len(notes) != 1 || !strings.Contains(notes[0], "failed: BackoffLimitExceeded") || !strings.Contains(notes[0], "kubectl delete job.batch migrate -n jobs") {
		t.Errorf("notes %q", notes)
	}
}

func TestIntegrationSuspendedJobIsReady(t *testing.T) {
	s := newSite(t, "suspended")
	namespace(t, s.api.client, "jobs")
	defer s.vanish()
	s.manifest("m", strings.Replace(jobText, "ttlSecondsAfterFinished: 5", "suspend: true", 1))
	s.apply()
}

// A DaemonSet whose pods are replaced only by hand is ready when its pods are, of whatever version.
func TestIntegrationDaemonSetOnDelete(t *testing.T) {
	s := newSite(t, "daemons")
	namespace(t, s.api.client, "jobs")
	s.manifest("m", `apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: jobs}
spec:
  updateStrategy: {type: OnDelete}
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: main, image: "none:1"}]}
`)
	done := applying(t, s.p, s.s, s.plan()[`manifest.m/kube.object["DaemonSet.apps/jobs/agent"]`])
	report := func(ready int32) {
		t.Helper()
		sets := s.api.client.AppsV1().DaemonSets("jobs")
		var d *appsv1.DaemonSet
		eventually(t, "the DaemonSet", func() (ok bool) {
			var err error
			d, err = sets.Get(t.Context(), "agent", metav1.GetOptions{})
			return err == nil
		})
		d.Status = appsv1.DaemonSetStatus{ObservedGeneration: d.Generation, DesiredNumberScheduled: 2, CurrentNumberScheduled: 2, NumberReady: ready, NumberAvailable: ready}
		if _, err := sets.UpdateStatus(t.Context(), d, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	report(1)
	eventually(t, "progress of the DaemonSet", func() bool { return s.s.said("ready: 1 of 2") })
	report(2)
	ended(t, done)
	s.settled()
}
