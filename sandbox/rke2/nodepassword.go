package rke2

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/scrypt"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	systemNamespace = metav1.NamespaceSystem
	// The cost of a node password's hash. RKE2 takes 2^15; the first password of a node is random and needs no such cost here.
	scryptLogN, scryptR, scryptP = 12, 8, 1
)

var errNodePassword = errors.New("unable to verify hash for node")

// passwordSecretName is the name of the secret that holds the hash of a node's password (domain.md §2.13).
func passwordSecretName(node string) string { return node + ".node-password.rke2" }

// newPassword is what RKE2 takes for a token or node password when none is given: 16 random bytes in hex.
func newPassword() (string, error) {
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		return "", err
	}
	return hex.EncodeToString(random), nil
}

// verifyNodePassword compares a node's password with the one of its first registration, and keeps it if there is none.
func verifyNodePassword(ctx context.Context, client kubernetes.Interface, node, password string) error {
	secrets := client.CoreV1().Secrets(systemNamespace)
	secret, err := secrets.Get(ctx, passwordSecretName(node), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		hash, err := hashPassword(password)
		if err != nil {
			return err
		}
		immutable := true
		_, err = secrets.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: passwordSecretName(node)},
			Immutable:  &immutable,
			Data:       map[string][]byte{"hash": []byte(hash)},
		}, metav1.CreateOptions{})
		return err
	}
	if err != nil {
		return err
	}
	return checkPassword(string(secret.Data["hash"]), password)
}

// hashPassword returns $1:<salt>:<log2 N>:<r>:<p>:<hash>, k3s' form.
func hashPassword(password string) (string, error) {
	salt := make([]byte, 8)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	hash, err := scrypt.Key([]byte(password), salt, 1<<scryptLogN, scryptR, scryptP, 64)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("$1:%s:%d:%d:%d:%s", hex.EncodeToString(salt), scryptLogN, scryptR, scryptP,
		base64.RawStdEncoding.EncodeToString(hash)), nil
}

func checkPassword(hash, password string) error {
	var logN, r, p int
	parts := strings.Split(hash, ":")
	if len(parts) != 6 || parts[0] != "$1" {
		return fmt.Errorf("%w: unknown form of the hash", errNodePassword)
	}
	salt, err := hex.DecodeString(parts[1])
	if err != nil {
		return fmt.Errorf("%w: salt: %v", errNodePassword, err)
	}
	_, err = fmt.Sscanf(strings.Join(parts[2:5], " "), "%d %d %d", &logN, &r, &p)
	if err != nil || logN < 1 || logN > 16 || r < 1 || r > 16 || p < 1 || p > 4 {
		return fmt.Errorf("%w: cost %q", errNodePassword, parts[2:5])
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil {
		return fmt.Errorf("%w: %v", errNodePassword, err)
	}
	if len(want) < 32 {
		return fmt.Errorf("%w: hash of %d bytes", errNodePassword, len(want))
	}
	got, err := scrypt.Key([]byte(password), salt, 1<<logN, r, p, len(want))
	if err != nil {
		return fmt.Errorf("%w: %v", errNodePassword, err)
	}
	if subtle.ConstantTimeCompare(got, want) != 1 {
		return fmt.Errorf("%w: hash does not match", errNodePassword)
	}
	return nil
}
