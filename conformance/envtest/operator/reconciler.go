package operator

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	appsapply "k8s.io/client-go/applyconfigurations/apps/v1"
	coreapply "k8s.io/client-go/applyconfigurations/core/v1"
	metaapply "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

const (
	// Finalizer keeps a Site until its record is gone.
	Finalizer = "web.shiplog.example/record"
	// RecordNamespace is where records of hosts are, which no owner reference can reach.
	RecordNamespace = "kube-system"
	fieldOwner      = client.FieldOwner("site-operator")
)

// Reconciler keeps Sites.
type Reconciler struct {
	client.Client
	Recorder events.EventRecorder
}

// RecordName of a site.
func RecordName(site *Site) string { return "record-" + site.Namespace + "-" + site.Name }

// Reconcile makes what a Site wants, or ends it.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	site := &Site{}
	if err := r.Get(ctx, request.NamespacedName, site); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !site.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, r.end(ctx, site)
	}
	if controllerutil.AddFinalizer(site, Finalizer) {
		if err := r.Update(ctx, site); err != nil {
			return ctrl.Result{}, err
		}
		r.Recorder.Eventf(site, nil, corev1.EventTypeNormal, "Adopted", "Adopt", "the site %s is looked after", site.Spec.Host)
	}
	if err := r.applyChildren(ctx, site); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, r.report(ctx, site)
}

func (r *Reconciler) end(ctx context.Context, site *Site) error {
	record := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: RecordName(site), Namespace: RecordNamespace}}
	if err := r.Delete(ctx, record); client.IgnoreNotFound(err) != nil {
		return err
	}
	if !controllerutil.RemoveFinalizer(site, Finalizer) {
		return nil
	}
	return client.IgnoreNotFound(r.Update(ctx, site))
}

func (r *Reconciler) applyChildren(ctx context.Context, site *Site) error {
	owner := metaapply.OwnerReference().
		WithAPIVersion(GroupVersion.String()).WithKind("Site").WithName(site.Name).WithUID(site.UID).
		WithController(true).WithBlockOwnerDeletion(true)
	pages := map[string]string{}
	for _, page := range site.Spec.Pages {
		pages[page.Path] = page.Text
	}
	content := coreapply.ConfigMap(site.Name, site.Namespace).WithOwnerReferences(owner).WithData(pages)
	if err := r.Apply(ctx, content, fieldOwner, client.ForceOwnership); err != nil {
		return err
	}
	labels := map[string]string{"site": site.Name}
	server := appsapply.Deployment(site.Name, site.Namespace).WithOwnerReferences(owner).
		WithSpec(appsapply.DeploymentSpec().WithReplicas(*site.Spec.Replicas).
			WithSelector(metaapply.LabelSelector().WithMatchLabels(labels)).
			WithTemplate(coreapply.PodTemplateSpec().WithLabels(labels).
				WithSpec(coreapply.PodSpec().WithContainers(coreapply.Container().WithName("web").WithImage("nginx")))))
	if err := r.Apply(ctx, server, fieldOwner, client.ForceOwnership); err != nil {
		return err
	}
	record := coreapply.ConfigMap(RecordName(site), RecordNamespace).WithData(map[string]string{"host": site.Spec.Host})
	return r.Apply(ctx, record, fieldOwner, client.ForceOwnership)
}

func (r *Reconciler) report(ctx context.Context, site *Site) error {
	server := &appsv1.Deployment{}
	if err := r.Get(ctx, client.ObjectKeyFromObject(site), server); err != nil {
		if apierrors.IsNotFound(err) {
			return nil // The cache has not seen it yet; its event brings us back.
		}
		return err
	}
	before := site.DeepCopyObject().(*Site)
	ready := metav1.Condition{
		Type: "Ready", Status: metav1.ConditionFalse, Reason: "Waiting", Message: "not all replicas are available",
		ObservedGeneration: site.Generation,
	}
	if server.Status.AvailableReplicas >= *site.Spec.Replicas && server.Status.ObservedGeneration >= server.Generation {
		ready.Status, ready.Reason, ready.Message = metav1.ConditionTrue, "Available", "all replicas are available"
	}
	meta.SetStatusCondition(&site.Status.Conditions, ready)
	site.Status.Replicas = server.Status.Replicas
	site.Status.ObservedGeneration = site.Generation
	return r.Status().Patch(ctx, site, client.MergeFrom(before))
}

// SetupWithManager makes the manager run it.
func (r *Reconciler) SetupWithManager(manager ctrl.Manager, name string) error {
	return ctrl.NewControllerManagedBy(manager).Named(name).
		For(&Site{}).Owns(&corev1.ConfigMap{}).Owns(&appsv1.Deployment{}).Complete(r)
}
