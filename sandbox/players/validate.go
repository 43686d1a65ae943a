package players

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// maxReview is the longest request that is read; the API server's own limit is 3 MiB.
const maxReview = 4 << 20

// hookHandler answers admission reviews for MetalLB's kinds, at MetalLB's paths.
func (m *metalLB) hookHandler(namespace string) http.Handler {
	mux := http.NewServeMux()
	for path, validate := range map[string]func(ctx context.Context, raw []byte) error{
		"v1beta1-ipaddresspool":    func(ctx context.Context, raw []byte) error { return m.validatePool(ctx, namespace, raw) },
		"v1beta1-l2advertisement":  func(_ context.Context, raw []byte) error { return validateL2(raw) },
		"v1beta1-bgpadvertisement": func(_ context.Context, raw []byte) error { return validateBGP(raw) },
		"v1beta2-bgppeer":          func(_ context.Context, raw []byte) error { return validatePeer(raw) },
		"v1beta1-community":        func(_ context.Context, raw []byte) error { return validateCommunity(raw) },
		"v1beta1-bfdprofile":       func(context.Context, []byte) error { return nil },
	} {
		mux.HandleFunc("POST /validate-metallb-io-"+path, func(w http.ResponseWriter, r *http.Request) { m.review(w, r, validate) })
	}
	return mux
}

func (m *metalLB) review(w http.ResponseWriter, r *http.Request, validate func(ctx context.Context, raw []byte) error) {
	var review admissionv1.AdmissionReview
	body, err := io.ReadAll(io.LimitReader(r.Body, maxReview))
	if err == nil {
		err = json.Unmarshal(body, &review)
	}
	if err == nil && review.Request == nil {
		err = errors.New("there is no request in the review")
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
	if review.Request.Operation != admissionv1.Delete {
		if err := validate(r.Context(), review.Request.Object.Raw); err != nil {
			review.Response.Allowed = false
			review.Response.Result = &metav1.Status{Status: metav1.StatusFailure, Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: err.Error()}
		}
	}
	review.Request = nil
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(review); err != nil {
		m.Errorf("MetalLB: webhook: %v", err)
	}
}

// validatePool checks a pool by itself and against all others.
func (m *metalLB) validatePool(ctx context.Context, namespace string, raw []byte) error {
	var pool addressPool
	if err := json.Unmarshal(raw, &pool); err != nil {
		return err
	}
	if pool.Namespace != namespace {
		return fmt.Errorf("resource must be created in %s namespace", namespace)
	}
	if err := pool.parse(); err != nil {
		return err
	}
	all, err := m.dynamic.Resource(metallbResource("ipaddresspools")).Namespace(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	return all.EachListItem(func(item runtime.Object) error {
		var other addressPool
		if err := convert(item, &other); err != nil {
			return err
		}
		if other.Name == pool.Name || other.parse() != nil {
			return nil // itself, or one that was let in without the webhook
		}
		return pool.clash(&other)
	})
}

func validateL2(raw []byte) error {
	var ad l2Advertisement
	if err := json.Unmarshal(raw, &ad); err != nil {
		return err
	}
	if err := checkSelectors(ad.Spec.PoolSelectors, ad.Spec.NodeSelectors, ad.Spec.ServiceSelectors); err != nil {
		return fmt.Errorf("invalid l2 advertisement %s: %w", ad.Name, err)
	}
	return duplicates("l2 advertisement "+ad.Name, "ipAddressPools", ad.Spec.Pools)
}

func duplicates(what, field string, values []string) error {
	seen := map[string]bool{}
	for _, v := range values {
		if seen[v] {
			return fmt.Errorf("%s: duplicate %s: %s", what, field, v)
		}
		seen[v] = true
	}
	return nil
}

// bgpAdvertisement is a BGPAdvertisement as far as it is checked.
type bgpAdvertisement struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Length        *int                   `json:"aggregationLength"`
		LengthV6      *int                   `json:"aggregationLengthV6"`
		LocalPref     int                    `json:"localPref"`
		Communities   []string               `json:"communities"`
		Pools         []string               `json:"ipAddressPools"`
		NodeSelectors []metav1.LabelSelector `json:"nodeSelectors"`
		Peers         []string               `json:"peers"`
	} `json:"spec"`
}

func validateBGP(raw []byte) error {
	var ad bgpAdvertisement
	if err := json.Unmarshal(raw, &ad); err != nil {
		return err
	}
	if l := ad.Spec.Length; l != nil && (*l < 0 || *l > 32) {
		return fmt.Errorf("invalid aggregation length %d for IPv4 in BGP advertisement %s", *l, ad.Name)
	}
	if l := ad.Spec.LengthV6; l != nil && (*l < 0 || *l > 128) {
		return fmt.Errorf("invalid aggregation length %d for IPv6 in BGP advertisement %s", *l, ad.Name)
	}
	if err := checkSelectors(ad.Spec.NodeSelectors); err != nil {
		return err
	}
	return errors.Join(
		duplicates("bgp advertisement "+ad.Name, "community", ad.Spec.Communities),
		duplicates("bgp advertisement "+ad.Name, "ipAddressPools", ad.Spec.Pools),
		duplicates("bgp advertisement "+ad.Name, "peer", ad.Spec.Peers),
	)
}

// bgpPeer is a BGPPeer as far as it is checked.
type bgpPeer struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		MyASN          uint32                 `json:"myASN"`
		PeerASN        uint32                 `json:"peerASN"`
		DynamicASN     string                 `json:"dynamicASN"`
		PeerAddress    string                 `json:"peerAddress"`
		Interface      string                 `json:"interface"`
		HoldTime       string                 `json:"holdTime"`
		Password       string                 `json:"password"`
		PasswordSecret *struct{ Name string } `json:"passwordSecret"`
		NodeSelectors  []metav1.LabelSelector `json:"nodeSelectors"`
	} `json:"spec"`
}

func validatePeer(raw []byte) error {
	var peer bgpPeer
	if err := json.Unmarshal(raw, &peer); err != nil {
		return err
	}
	s := peer.Spec
	_, addressErr := netip.ParseAddr(s.PeerAddress)
	switch {
	case s.MyASN == 0:
		return errors.New("missing local ASN")
	case s.PeerASN == 0 && s.DynamicASN == "":
		return errors.New("missing peer ASN or dynamicASN")
	case s.PeerASN != 0 && s.DynamicASN != "":
		return errors.New("both peer ASN and dynamicASN specified")
	case s.PeerAddress == "" && s.Interface == "":
		return errors.New("peer needs peerAddress or interface")
	case s.PeerAddress != "" && addressErr != nil:
		return fmt.Errorf("invalid BGPPeer address %q", s.PeerAddress)
	case s.Password != "" && s.PasswordSecret != nil && s.PasswordSecret.Name != "":
		return errors.New("can not have both password and secret ref set in peer config " + peer.Name)
	}
	if s.HoldTime != "" {
		if d, err := time.ParseDuration(s.HoldTime); err != nil || d != 0 && d < 3*time.Second {
			return fmt.Errorf("invalid hold time %q: must be 0 or >=3s", s.HoldTime)
		}
	}
	return checkSelectors(s.NodeSelectors)
}

func validateCommunity(raw []byte) error {
	var community struct {
		Spec struct {
			Communities []struct{ Name, Value string }
		}
	}
	if err := json.Unmarshal(raw, &community); err != nil {
		return err
	}
	for _, c := range community.Spec.Communities {
		parts := strings.Split(strings.TrimPrefix(c.Value, "large:"), ":")
		number := func(s string) bool { _, err := strconv.ParseUint(s, 10, 32); return err == nil }
		if len(parts) < 2 || len(parts) > 3 || !slices.ContainsFunc(parts, number) {
			return fmt.Errorf("invalid community %q: %q", c.Name, c.Value)
		}
	}
	return nil
}
