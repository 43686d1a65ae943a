package rke2

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	bootstrapPrefix = "/bootstrap/"
	saltSize        = 8
	iterations      = 4096
)

var (
	errOtherToken = errors.New("bootstrap data already found and encrypted with different token")
	errSealed     = errors.New("bootstrap data cannot be decrypted with this token")
)

// bootstrapFiles are the files of the tls directory that make a cluster what it is.
func bootstrapFiles() []string {
	return []string{
		"server-ca.crt", "server-ca.key", "client-ca.crt", "client-ca.key", "etcd/server-ca.crt", "etcd/server-ca.key", "service.key",
	}
}

// syncBootstrap keeps the cluster's authorities in etcd, encrypted with the server token, as RKE2 does: whoever has a snapshot
// and the token has the cluster. It stores them when etcd has none, and fails when they are there for another token or
// differ from those on disk.
func syncBootstrap(ctx context.Context, etcd *clientv3.Client, password, tlsDir string) error {
	onDisk := map[string][]byte{}
	for _, name := range bootstrapFiles() {
		data, err := os.ReadFile(filepath.Join(tlsDir, name))
		if err != nil {
			return err
		}
		onDisk[name] = data
	}
	key := bootstrapKey(password)
	stored, err := etcd.Get(ctx, bootstrapPrefix, clientv3.WithPrefix())
	if err != nil {
		return err
	}
	if len(stored.Kvs) == 0 {
		return storeBootstrap(ctx, etcd, key, password, onDisk)
	}
	index := slices.IndexFunc(stored.Kvs, func(kv *mvccpb.KeyValue) bool { return string(kv.Key) == key })
	if index < 0 {
		return errOtherToken
	}
	inEtcd, err := openBootstrap(password, stored.Kvs[index].Value)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(onDisk)) {
		if !bytes.Equal(onDisk[name], inEtcd[name]) {
			return fmt.Errorf("%s newer than datastore and could cause a cluster outage. "+
				"Remove the file(s) from disk and restart to be recreated from datastore", filepath.Join(tlsDir, name))
		}
	}
	return nil
}

func bootstrapKey(password string) string {
	digest := sha256.Sum256([]byte(password))
	return bootstrapPrefix + hex.EncodeToString(digest[:])[:12]
}

func storeBootstrap(ctx context.Context, etcd *clientv3.Client, key, password string, files map[string][]byte) error {
	sealed, err := sealBootstrap(password, files)
	if err != nil {
		return err
	}
	_, err = etcd.Put(ctx, key, string(sealed))
	return err
}

// sealBootstrap encrypts files with AES-GCM under a key made of the token by PBKDF2: salt, nonce, ciphertext.
func sealBootstrap(password string, files map[string][]byte) ([]byte, error) {
	clear, err := json.Marshal(files)
	if err != nil {
		return nil, err
	}
	salt := make([]byte, saltSize)
	if _, err := rand.Read(salt); err != nil {
		return nil, err
	}
	gcm, err := bootstrapCipher(password, salt)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, gcm.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return gcm.Seal(append(salt, nonce...), nonce, clear, nil), nil
}

func openBootstrap(password string, sealed []byte) (map[string][]byte, error) {
	if len(sealed) < saltSize {
		return nil, errSealed
	}
	gcm, err := bootstrapCipher(password, sealed[:saltSize])
	if err != nil {
		return nil, err
	}
	rest := sealed[saltSize:]
	if len(rest) < gcm.NonceSize() {
		return nil, errSealed
	}
	clear, err := gcm.Open(nil, rest[:gcm.NonceSize()], rest[gcm.NonceSize():], nil)
	if err != nil {
		return nil, errSealed
	}
	var files map[string][]byte
	if err := json.Unmarshal(clear, &files); err != nil {
		return nil, fmt.Errorf("bootstrap data: %w", err)
	}
	return files, nil
}

func bootstrapCipher(password string, salt []byte) (cipher.AEAD, error) {
	key, err := pbkdf2.Key(sha256.New, password, salt, iterations, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
