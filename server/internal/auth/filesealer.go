package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// FileSealer is a Sealer whose key is in a file that only its owner can read,
// beside the SQLite database. The file is made when something is sealed first;
// processes that share it take turns by a lock file.
type FileSealer struct {
	path   string
	random io.Reader

	mu     sync.Mutex
	sealer *Sealer // nil until the key is known
}

// NewFileSealer returns the Sealer of a key file. Keys and nonces come from random.
func NewFileSealer(path string, random io.Reader) *FileSealer {
	return &FileSealer{path: path, random: random}
}

// Prepare makes the file now, unless it is there.
func (f *FileSealer) Prepare() error {
	_, err := f.use(true)
	return err
}

// Seal is as that of Sealer.
func (f *FileSealer) Seal(purpose, id string, plaintext []byte) (string, error) {
	s, err := f.use(true)
	if err != nil {
		return "", err
	}
	return s.Seal(purpose, id, plaintext)
}

// Open is as that of Sealer. Without the file nothing can be opened.
func (f *FileSealer) Open(purpose, id, sealed string) ([]byte, error) {
	s, err := f.use(false)
	if err != nil {
		return nil, err
	}
	return s.Open(purpose, id, sealed)
}

// use returns the sealer of the file, which it makes if need be.
func (f *FileSealer) use(create bool) (*Sealer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sealer != nil {
		return f.sealer, nil
	}
	key, err := ReadSealKey(f.path)
	if errors.Is(err, fs.ErrNotExist) && create {
		key, err = f.create()
	}
	if err == nil {
		f.sealer, err = NewSealer(key, f.random)
	}
	return f.sealer, err
}

// create makes the file, unless another process was faster.
func (f *FileSealer) create() ([]byte, error) {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the key of sealed secrets: %w", err)
	}
	lock := flock.New(f.path+".lock", flock.SetPermissions(0o600))
	defer lock.Close()
	if _, err := lock.TryLockContext(context.Background(), 20*time.Millisecond); err != nil {
		return nil, fmt.Errorf("lock the key of sealed secrets: %w", err)
	}
	key, err := ReadSealKey(f.path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	key = make([]byte, masterKeyBytes)
	if _, err := io.ReadFull(f.random, key); err != nil {
		return nil, fmt.Errorf("read random bytes: %w", err)
	}
	return key, WriteSealKey(f.path, key)
}

// ReadSealKey returns the key in the file of a FileSealer. A file that others
// may read or write is refused; fs.ErrNotExist: there is none.
func ReadSealKey(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the key of sealed secrets: %w", err)
	}
	defer file.Close()
	if err := checkPrivate(file); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(file, 1024))
	if err != nil {
		return nil, fmt.Errorf("read the key of sealed secrets: %w", err)
	}
	key, err := ParseMasterKey(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s does not hold the key of sealed secrets: it was damaged or replaced", path)
	}
	return key, nil
}

// WriteSealKey makes the file of a FileSealer, or replaces its key.
func WriteSealKey(path string, key []byte) error {
	return WriteSecretFile(path, append([]byte(base64.StdEncoding.EncodeToString(key)), '\n'))
}
