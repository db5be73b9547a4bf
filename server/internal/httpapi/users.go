package httpapi

import (
	"context"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/auth"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// AccountService keeps the accounts. An *auth.Accounts is one.
type AccountService interface {
	Prepare(ctx context.Context, n auth.NewUser) (kgl.User, error)
	CreatePrepared(ctx context.Context, user kgl.User) error
	Get(ctx context.Context, id string) (kgl.User, error)
	List(ctx context.Context, f kgl.UserFilter, p kgl.Page) (kgl.List[kgl.User], error)
	Update(ctx context.Context, id string, version int64, p auth.UserPatch) (kgl.User, error)
	Delete(ctx context.Context, id string, version int64) error
	ChangePassword(ctx context.Context, id, current, next string) error
}

type preparedUserKey struct{}

// prepareUser hashes the password of a new account before the transaction of an
// Idempotency-Key begins, which on SQLite keeps all other writers waiting.
// CreateUser finds the result in the context that it returns.
func (s *server) prepareUser(ctx context.Context, body any) (context.Context, error) {
	object, _ := body.(map[string]any)
	text := func(name string) string {
		value, _ := object[name].(string)
		return value
	}
	user, err := s.Accounts.Prepare(ctx, auth.NewUser{
		Email: text("email"), Name: text("name"), Role: kgl.Role(text("role")), Password: text("password"),
	})
	if err != nil {
		return nil, err
	}
	return context.WithValue(ctx, preparedUserKey{}, user), nil
}

// CreateUser makes an account.
func (s *server) CreateUser(ctx context.Context, r api.CreateUserRequestObject) (api.CreateUserResponseObject, error) {
	user, prepared := ctx.Value(preparedUserKey{}).(kgl.User)
	if !prepared {
		var err error
		if user, err = s.Accounts.Prepare(ctx, auth.NewUser{
			Email: r.Body.Email, Name: r.Body.Name, Role: kgl.Role(r.Body.Role), Password: r.Body.Password,
		}); err != nil {
			return nil, err
		}
	}
	if err := s.Accounts.CreatePrepared(ctx, user); err != nil {
		return nil, err
	}
	return api.CreateUser201JSONResponse{
		Body:    toUser(user),
		Headers: api.CreateUser201ResponseHeaders{Location: "/api/v1/users/" + user.ID, ETag: versionTag(user.Version)},
	}, nil
}

// ListUsers lists accounts.
func (s *server) ListUsers(ctx context.Context, r api.ListUsersRequestObject) (api.ListUsersResponseObject, error) {
	page, err := pageOf(ctx, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := s.Accounts.List(ctx, kgl.UserFilter{
		Role: kgl.Role(valueOr(r.Params.Role, "")), Status: kgl.UserStatus(valueOr(r.Params.Status, "")),
		EmailPrefix: valueOr(r.Params.Email, ""),
	}, page)
	if err != nil {
		return nil, err
	}
	pagination, err := paginationOf(ctx, page, list.Next)
	if err != nil {
		return nil, err
	}
	return api.ListUsers200JSONResponse{Body: api.UserList{Data: convertAll(list.Rows, toUser), Pagination: pagination}}, nil
}

// GetUser returns an account.
func (s *server) GetUser(ctx context.Context, r api.GetUserRequestObject) (api.GetUserResponseObject, error) {
	user, err := s.Accounts.Get(ctx, r.UserID)
	if err != nil {
		return nil, err
	}
	return api.GetUser200JSONResponse{Body: toUser(user), Headers: api.GetUser200ResponseHeaders{ETag: versionTag(user.Version)}}, nil
}

// UpdateUser changes an account.
func (s *server) UpdateUser(ctx context.Context, r api.UpdateUserRequestObject) (api.UpdateUserResponseObject, error) {
	version, err := expectedVersion(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	user, err := s.Accounts.Update(ctx, r.UserID, valueOr(version, 0), auth.UserPatch{
		Email: r.Body.Email, Name: r.Body.Name, Role: (*kgl.Role)(r.Body.Role),
		Status: (*kgl.UserStatus)(r.Body.Status), Password: r.Body.Password,
	})
	if err != nil {
		return nil, err
	}
	return api.UpdateUser200JSONResponse{Body: toUser(user), Headers: api.UpdateUser200ResponseHeaders{ETag: versionTag(user.Version)}}, nil
}

// DeleteUser deletes an account.
func (s *server) DeleteUser(ctx context.Context, r api.DeleteUserRequestObject) (api.DeleteUserResponseObject, error) {
	version, err := expectedVersion(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	if err := s.Accounts.Delete(ctx, r.UserID, valueOr(version, 0)); err != nil {
		return nil, err
	}
	return api.DeleteUser204Response{}, nil
}
